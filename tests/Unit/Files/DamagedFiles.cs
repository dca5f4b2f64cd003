using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Tests.Unit.Files;

/// <summary>Whatever happened to a file, a reader reads it or says what is wrong: no other exception, no crash, nothing left open.</summary>
public sealed class DamagedFiles : IDisposable
{
    private const int Rounds = 1000;

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_damaged_safetensors_file_is_read_or_refused()
    {
        SafetensorsWriter.Write(folder.File("a.safetensors"),
            [Samples.Floats("one", [2, 2], [1, 2, 3, 4]), Samples.Floats("two", 5), Samples.Floats("three", [0, 3], [])]);
        var valid = File.ReadAllBytes(folder.File("a.safetensors"));
        Try(valid, 1, "a.safetensors");
    }

    [Theory]
    [InlineData("state.pth", 2)]
    [InlineData("optimizer.pt", 3)]
    [InlineData("written.pth", 4)]
    public void A_damaged_torch_save_file_is_read_or_refused(string golden, int seed) =>
        Try(File.ReadAllBytes(TestFiles.Golden($"torch_save/{golden}")), seed, "a.pth");

    [Theory]
    [InlineData("state.pth", 5)]
    [InlineData("protocol4.pth", 6)]
    [InlineData("module.pth", 7)]
    [InlineData("optimizer.pt", 8)]
    public void A_damaged_pickle_with_a_true_check_sum_is_read_or_refused(string golden, int seed)
    {
        // Mutates the pickle alone: inside the file its check sum would hide it from the reader.
        var map = MappedFile.Open(TestFiles.Golden($"torch_save/{golden}"));
        var members = ZipDirectory.Read(map);
        var pickle = members.Values.Single(m => m.Name.EndsWith("/data.pkl", StringComparison.Ordinal));
        var torch = new TorchObjects(map, pickle.Name[..^"data.pkl".Length], members);
        var valid = map.Slice(pickle.Offset, pickle.Length).ToArray();
        var random = new Random(seed);
        var refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            try
            {
                new Unpickler("mutated", Mutate(valid, random), torch).Run();
            }
            catch (CheckpointException)
            {
                refused++;
            }
        }

        map.Release();
        Assert.InRange(refused, Rounds / 4, Rounds - 1);
    }

    private void Try(byte[] valid, int seed, string name)
    {
        var random = new Random(seed);
        var before = RawMemory.Live;
        var refused = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var path = folder.Write(name, Mutate(valid, random));
            try
            {
                using var checkpoint = Checkpoint.Open(path);
                foreach (var entry in checkpoint.Tensors.Values)
                {
                    entry.Memory.CopyTo(Stream.Null, entry.Offset, entry.Bytes);
                }
            }
            catch (CheckpointException)
            {
                refused++;
            }
        }

        Assert.Equal(before, RawMemory.Live);
        Assert.InRange(refused, Rounds / 10, Rounds);
    }

    private static byte[] Mutate(byte[] valid, Random random)
    {
        var bytes = (byte[])valid.Clone();
        switch (random.Next(4))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                // A piece repeated or dropped.
                int from = random.Next(bytes.Length), to = random.Next(bytes.Length);
                return [.. bytes[..from], .. bytes[to..]];
            default:
                for (var flips = random.Next(1, 5); flips > 0; flips--)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }

                return bytes;
        }
    }
}
