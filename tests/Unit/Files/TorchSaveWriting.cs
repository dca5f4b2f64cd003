using System.IO.Compression;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;

namespace Fovea.Tests.Unit.Files;

public sealed class TorchSaveWriting : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>The golden was written by this very code and checked by check_written.py with torch.load(weights_only=True).</summary>
    [Fact]
    public void The_bytes_are_those_that_PyTorch_has_read()
    {
        var path = folder.File("written.pth");
        PickleWriter.Write(path, Everything());
        Assert.Equal(File.ReadAllBytes(TestFiles.Golden("torch_save/written.pth")), File.ReadAllBytes(path));
        Assert.Equal(["written.pth"], folder.Names());
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var path = folder.File("written.pth");
        PickleWriter.Write(path, Everything());
        using var file = PickleFile.Open(path);
        var root = Assert.IsType<OrderedDictionary<object, object?>>(file.Root);
        Assert.Equal(["tensors", "numbers", "state", "nothing"], root.Keys.Cast<string>());
        Assert.Equal([1L, -1L, 5_000_000_000L, long.MinValue, 0.5, true, "größe", null], Assert.IsType<List<object?>>(root["numbers"]));
        var state = Assert.IsType<OrderedDictionary<object, object?>>(root["state"]);
        Assert.Equal([0.9, 0.999], Assert.IsType<object?[]>(Assert.IsType<OrderedDictionary<object, object?>>(state[(object)0L])["betas"]));
        var tensors = Assert.IsType<OrderedDictionary<object, object?>>(root["tensors"]);
        Assert.Equal([1f, 2f, 3f, 4f, 5f, 6f], file.Contiguous("f32", Assert.IsType<PickledTensor>(tensors["F32"])).Floats());
        Assert.Equal(tensors["F32"], tensors["again"] as PickledTensor, (a, b) => ((PickledTensor)a!).Offset == ((PickledTensor)b!).Offset);
        foreach (var dtype in Enum.GetValues<DType>())
        {
            Assert.Equal(dtype, Assert.IsType<PickledTensor>(tensors[dtype.ToString()]).DType);
        }
    }

    [Fact]
    public void Members_are_stored_aligned_to_64_with_true_check_sums()
    {
        var path = folder.File("a.pth");
        PickleWriter.WriteStateDict(path, [Samples.Floats("x", 1, 2, 3), Samples.Floats("y", 4)]);
        using (var checkpoint = Checkpoint.Open(path))
        {
            Assert.All(checkpoint.Tensors.Values, entry => Assert.Equal(0, entry.Offset % 64));
            Assert.Equal(["x", "y"], checkpoint.Tensors.Keys);
        }

        // Reading to the end makes the library check the sums.
        using var zip = ZipFile.OpenRead(path);
        Assert.Equal(["a/data.pkl", "a/byteorder", "a/data/0", "a/data/1", "a/version"], zip.Entries.Select(e => e.FullName));
        foreach (var entry in zip.Entries)
        {
            using var bytes = new MemoryStream();
            using var stream = entry.Open();
            stream.CopyTo(bytes);
            Assert.Equal(entry.Length, bytes.Length);
            Assert.Equal(entry.Crc32, Crc32.Append(0, bytes.ToArray()));
        }
    }

    [Fact]
    public void The_check_sum_is_the_standard_one_however_it_is_cut()
    {
        var text = "123456789"u8;
        Assert.Equal(0xCBF43926u, Crc32.Append(0, text));
        Assert.Equal(0xCBF43926u, Crc32.Append(Crc32.Append(0, text[..2]), text[2..]));
        Assert.Equal(0u, Crc32.Append(0, []));
    }

    [Fact]
    public void What_cannot_be_saved_is_refused_before_a_file_appears()
    {
        var path = folder.File("a.pth");
        Assert.Contains("DateTime", Assert.Throws<ArgumentException>(() => PickleWriter.Write(path, new List<object?> { DateTime.UnixEpoch })).Message);
        Assert.Throws<CheckpointException>(() => PickleWriter.WriteStateDict(path, [Samples.Floats("x", 1), Samples.Floats("x", 1)]));
        Assert.Throws<CheckpointException>(() => PickleWriter.WriteStateDict(path, [new("x", DType.F32, [2], s => s.Write(new byte[4]))]));
        var loop = new List<object?>();
        loop.Add(loop);
        Assert.Contains("nested", Assert.Throws<ArgumentException>(() => PickleWriter.Write(path, loop)).Message);
        Assert.Empty(folder.Names());
    }

    private static OrderedDictionary<string, object?> Everything()
    {
        var tensors = new OrderedDictionary<string, object?>();
        foreach (var dtype in Enum.GetValues<DType>().Order())
        {
            // Bit patterns that are finite and exact in every type: small whole numbers, or one byte 0x38 (1 in E4M3, 0.5 in E5M2).
            tensors[dtype.ToString()] = dtype switch
            {
                DType.F32 => Samples.Floats("f32", [2, 3], [1, 2, 3, 4, 5, 6]),
                DType.F64 => TensorSource.FromBytes("f64", dtype, [1], BitConverter.GetBytes(0.1)),
                DType.F16 => TensorSource.FromBytes("f16", dtype, [1], BitConverter.GetBytes((Half)1.5)),
                DType.BF16 => TensorSource.FromBytes("bf16", dtype, [1], new byte[] { 0xC0, 0x3F }),
                DType.F8E4M3 or DType.F8E5M2 => TensorSource.FromBytes("f8", dtype, [1], new byte[] { 0x38 }),
                _ => TensorSource.FromBytes("i", dtype, [], (byte[])[1, .. new byte[dtype.Size() - 1]]),
            };
        }

        tensors["again"] = tensors["F32"];
        tensors["empty"] = TensorSource.FromBytes("empty", DType.F32, [0, 3], default);
        return new OrderedDictionary<string, object?>
        {
            ["tensors"] = tensors,
            ["numbers"] = new List<object?> { 1, -1, 5_000_000_000L, long.MinValue, 0.5, true, "größe", null },
            ["state"] = new Dictionary<int, object?> { [0] = new Dictionary<string, object?> { ["betas"] = new object?[] { 0.9, 0.999 }, ["lr"] = 1e-3 } },
            ["nothing"] = null,
        };
    }
}
