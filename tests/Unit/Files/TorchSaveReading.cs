using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Tests.Unit.Files;

/// <summary>Against files that PyTorch wrote (goldens/torch_save, with the script).</summary>
public sealed class TorchSaveReading : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("state.pth", "state")]
    [InlineData("protocol4.pth", "state")]
    [InlineData("module.pth", "module")]
    public void State_dicts_written_by_PyTorch_are_read_exactly(string file, string expectedKey)
    {
        using var expected = JsonDocument.Parse(File.ReadAllBytes(TestFiles.Golden("torch_save/expected.json")));
        var before = RawMemory.Live;
        using (var checkpoint = Checkpoint.Open(TestFiles.Golden($"torch_save/{file}")))
        {
            Assert.Empty(checkpoint.Notices);
            var tensors = expected.RootElement.GetProperty(expectedKey).EnumerateObject().ToArray();
            Assert.Equal(tensors.Select(t => t.Name), checkpoint.Tensors.Keys);
            foreach (var tensor in tensors)
            {
                var entry = checkpoint[tensor.Name];
                Assert.Equal(tensor.Value.GetProperty("dtype").GetString(), $"torch.{TorchGlobals.ElementName(entry.DType)}");
                Assert.Equal(tensor.Value.GetProperty("shape").EnumerateArray().Select(n => n.GetInt64()), entry.Shape);
                Assert.Equal(tensor.Value.GetProperty("values").EnumerateArray().Select(n => n.GetDouble()), Values(entry));
            }
        }

        Assert.Equal(before, RawMemory.Live);
    }

    [Fact]
    public void Tensors_that_share_a_storage_share_their_bytes_and_contiguous_ones_are_not_copied()
    {
        using var checkpoint = Checkpoint.Open(TestFiles.Golden("torch_save/state.pth"));
        Assert.Equal(checkpoint["tied_a"].Address, checkpoint["tied_b"].Address);
        Assert.IsType<MappedFile>(checkpoint["rows"].Memory);
        Assert.Equal(checkpoint["f32"].Offset + 24, checkpoint["rows"].Offset);
        Assert.IsType<HeapMemory>(checkpoint["transposed"].Memory);
    }

    [Fact]
    public void An_optimizers_state_is_read_as_plain_containers()
    {
        using var file = PickleFile.Open(TestFiles.Golden("torch_save/optimizer.pt"));
        var root = Assert.IsType<OrderedDictionary<object, object?>>(file.Root);
        var state = Assert.IsType<OrderedDictionary<object, object?>>(root["state"]);
        var first = Assert.IsType<OrderedDictionary<object, object?>>(state[(object)0L]);
        Assert.Equal([1f], file.Contiguous("step", Assert.IsType<PickledTensor>(first["step"])).Floats());
        Assert.Equal([2, 2], Assert.IsType<PickledTensor>(first["exp_avg"]).Shape);
        var groups = Assert.IsType<List<object?>>(root["param_groups"]);
        var group = Assert.IsType<OrderedDictionary<object, object?>>(groups[0]);
        Assert.Equal(0.001, group["lr"]);
        Assert.Equal(0.1, group["weight_decay"]);
        Assert.Equal([0.9, 0.999], Assert.IsType<object?[]>(group["betas"]));
        Assert.Equal(false, group["amsgrad"]);
        Assert.Null(group["foreach"]);
        Assert.Equal([0L], Assert.IsType<List<object?>>(group["params"]));
    }

    [Fact]
    public void A_name_that_tensors_do_not_need_is_refused_and_named()
    {
        var error = Refused(TestFiles.Golden("torch_save/unsafe.pth"));
        Assert.Contains("datetime.date", error);
        Assert.Contains("could run code", error);
    }

    [Fact]
    public void The_old_format_is_refused_with_the_remedy() =>
        Assert.Contains("torch.save(torch.load(path, weights_only=True), path)", Refused(TestFiles.Golden("torch_save/legacy.pth")));

    [Fact]
    public void What_is_no_torch_save_file_is_refused_with_the_reason()
    {
        Assert.Contains("empty", Refused(folder.Write("a.pth", [])));
        Assert.Contains("no zip", Refused(folder.Write("a.pth", "hello")));
        Assert.Contains("git lfs pull", Refused(folder.Write("a.pth", "version https://git-lfs.github.com/spec/v1\n")));
        Assert.Contains("no such file", Refused(folder.File("absent.pth")));
        var whole = File.ReadAllBytes(TestFiles.Golden("torch_save/state.pth"));
        Assert.Contains("truncated", Refused(folder.Write("a.pth", whole[..^30])));
        Assert.Contains("0 members named data.pkl", Refused(Zip(("x/other", [1]))));
        Assert.Contains("TorchScript", Refused(Zip(("x/data.pkl", "N."u8.ToArray()), ("x/constants.pkl", [1]))));
        Assert.Contains("big-endian", Refused(Zip(("x/data.pkl", "N."u8.ToArray()), ("x/byteorder", "big"u8.ToArray()))));
    }

    [Fact]
    public void A_compressed_member_is_refused_by_name()
    {
        using (var zip = ZipFile.Open(folder.File("z.pth"), ZipArchiveMode.Create))
        using (var stream = zip.CreateEntry("x/data.pkl", CompressionLevel.Optimal).Open())
        {
            stream.Write(Encoding.ASCII.GetBytes(new string('N', 1000)));
        }

        Assert.Contains("'x/data.pkl' is compressed", Refused(folder.File("z.pth")));
    }

    [Theory]
    [InlineData("cos\nsystem\n(X\u0002\0\0\0idtR.", "os.system")]
    [InlineData("c__builtin__\neval\n.", "__builtin__.eval")]
    [InlineData("\u0080\u0004\u008c\u0002os\u008c\u0006system\u0093.", "os.system")]
    [InlineData("ccollections\nOrderedDict\n)\u0081.", "NEWOBJ (0x81)")]
    [InlineData("(ios\nsystem\n.", "INST (0x69)")]
    [InlineData("\u0082\u0001.", "EXT1 (0x82)")]
    [InlineData("\u00ff", "unknown (0xff)")]
    [InlineData("ccollections\nOrderedDict\n.", "the function collections.OrderedDict stands where data is expected")]
    [InlineData("NN.", "left over")]
    [InlineData("N", "middle of an instruction")]
    [InlineData("X\u00ff\u00ff\u00ff\u00ffab.", "middle of an instruction")]
    [InlineData(".", "nothing to work on")]
    [InlineData("t.", "no mark")]
    [InlineData("h\u0005.", "recalls object 5")]
    [InlineData("}N}s.", "neither text nor a number")]
    [InlineData("}(Nu.", "key without a value")]
    [InlineData("]N)b.", "not an OrderedDict")]
    [InlineData("NNR.", "not a known function")]
    [InlineData("NQ.", "not named as torch.save names it")]
    [InlineData("\u0080\u0063.", "protocol 99")]
    [InlineData("\u008a\u0009123456789.", "above 64 bits")]
    public void A_pickle_that_is_more_or_less_than_data_is_refused(string pickle, string reason) =>
        Assert.Contains(reason, Refused(Zip(("x/data.pkl", Encoding.Latin1.GetBytes(pickle)))));

    [Fact]
    public void A_damaged_pickle_is_caught_by_its_check_sum()
    {
        var bytes = File.ReadAllBytes(TestFiles.Golden("torch_save/state.pth"));
        bytes[bytes.AsSpan().IndexOf("every_other"u8)] = (byte)'E';
        Assert.Contains("check sum", Refused(folder.Write("a.pth", bytes)));
    }

    [Theory]
    [InlineData(4, 0, 5, 1, "leaves its storage of 4 elements")]
    [InlineData(4, 1, 4, 1, "leaves its storage of 4 elements")]
    [InlineData(4, 0, 2, 4, "leaves its storage of 4 elements")]
    [InlineData(5, 0, 4, 1, "holds 16 bytes where 5 elements")]
    [InlineData(4, -1, 4, 1, "not what torch.save writes")]
    [InlineData(4, 0, long.MaxValue, 1, "overflow")]
    [InlineData(4, 0, 3, long.MaxValue, "overflow")]
    public void A_tensor_that_leaves_its_storage_is_refused(long elements, long offset, long extent, long stride, string reason)
    {
        static string Long(long value) => "\u008a\u0008" + Encoding.Latin1.GetString(BitConverter.GetBytes(value));
        var pickle = $"ctorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpu{Long(elements)}tQ"
            + $"{Long(offset)}{Long(extent)}\u0085{Long(stride)}\u0085\u0089NtR.";
        var error = Refused(Zip(("x/data.pkl", Encoding.Latin1.GetBytes(pickle)), ("x/data/0", new byte[16])));
        Assert.Contains(reason, error);
    }

    [Fact]
    public void A_view_that_unfolds_to_far_more_than_the_file_is_refused()
    {
        // One float seen 2^40 times: torch's expand().
        const string pickle = "}X\u0001\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\nFloatStorage\n"
            + "X\u0001\0\0\00X\u0003\0\0\0cpuK\u0001tQK\0\u008a\u0006\0\0\0\0\0\u0001\u0085K\0\u0085\u0089NtRs.";
        var path = Zip(("x/data.pkl", Encoding.Latin1.GetBytes(pickle)), ("x/data/0", new byte[4]));
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(path));
        Assert.Contains("tensor 'a': is stored as a view that unfolds to 4398046511104 bytes", error.Message);
    }

    [Fact]
    public void Zip64_fields_are_read()
    {
        var path = folder.File("wide.pth");
        using (var stream = File.Create(path))
        {
            var pickler = new Pickler(path);
            var pickle = pickler.Pickle(new Dictionary<string, object?> { ["a"] = Samples.Floats("a", 1, 2, 3), ["b"] = Samples.Floats("b", 4) });
            PickleWriter.WriteMembers(new ZipWriter(stream, wideFrom: 5), path, pickle, pickler.Tensors);
        }

        using (var zip = ZipFile.OpenRead(path))
        {
            Assert.Equal(12, zip.GetEntry("wide/data/0")!.Length);
        }

        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal([1f, 2f, 3f], checkpoint["a"].Floats());
        Assert.Equal([4f], checkpoint["b"].Floats());
    }

    private static IEnumerable<double> Values(TensorEntry entry)
    {
        var bytes = entry.Span;
        return entry.DType switch
        {
            DType.F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray().Select(v => (double)v),
            DType.F64 => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
            DType.F16 => MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(v => (double)v),
            DType.BF16 => MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(v => (double)BitConverter.UInt32BitsToSingle((uint)v << 16)),
            DType.I64 => MemoryMarshal.Cast<byte, long>(bytes).ToArray().Select(v => (double)v),
            DType.I32 => MemoryMarshal.Cast<byte, int>(bytes).ToArray().Select(v => (double)v),
            DType.I16 => MemoryMarshal.Cast<byte, short>(bytes).ToArray().Select(v => (double)v),
            DType.I8 => MemoryMarshal.Cast<byte, sbyte>(bytes).ToArray().Select(v => (double)v),
            _ => bytes.ToArray().Select(v => (double)v),
        };
    }

    private string Zip(params (string Name, byte[] Bytes)[] members)
    {
        var path = folder.File("made.pth");
        using var stream = File.Create(path);
        var zip = new ZipWriter(stream);
        foreach (var (name, bytes) in members)
        {
            zip.Add(name, bytes.Length, s => s.Write(bytes));
        }

        zip.Finish();
        return path;
    }

    private static string Refused(string path)
    {
        var before = RawMemory.Live;
        var error = Assert.Throws<CheckpointException>(() => PickleFile.Open(path));
        Assert.StartsWith(path, error.Message);
        Assert.Equal(before, RawMemory.Live);
        return error.Message;
    }
}
