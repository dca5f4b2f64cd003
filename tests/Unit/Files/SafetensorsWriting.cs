using System.Buffers.Binary;
using Fovea.Files.Safetensors;

namespace Fovea.Tests.Unit.Files;

public sealed class SafetensorsWriting : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_is_written_is_read_back_and_every_tensor_is_aligned_to_its_element()
    {
        var path = folder.File("m.safetensors");
        SafetensorsWriter.Write(path,
        [
            TensorSource.FromBytes("flags", DType.Bool, [3], new byte[] { 1, 0, 1 }),
            Samples.Floats("größe\"\n", [1, 2], [1.5f, -2]),
            TensorSource.FromBytes("scalar", DType.I64, [], new byte[] { 7, 0, 0, 0, 0, 0, 0, 0 }),
            TensorSource.FromBytes("empty", DType.BF16, [0, 4], default),
        ]);
        Assert.Equal(["m.safetensors"], folder.Names());
        Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(path)) % 8);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["scalar", "größe\"\n", "empty", "flags"], file.Entries.Select(e => e.Name));
        Assert.All(file.Entries, e => Assert.Equal(0, e.Offset % e.DType.Size()));
        Assert.Equal([1.5f, -2f], file.Entries[1].Floats());
        Assert.Equal([1, 2], file.Entries[1].Shape);
        Assert.Equal([1, 0, 1], file.Entries[3].Span.ToArray());
        Assert.Equal("pt", Assert.Single(file.Metadata).Value);
    }

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        var path = folder.File("m.safetensors");
        SafetensorsWriter.Write(path, [TensorSource.FromBytes("a", DType.U8, [2], new byte[] { 5, 6 })], new Dictionary<string, string>());
        var expected = Samples.Safetensors("""{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}   """, 2);
        expected[^2] = 5;
        expected[^1] = 6;
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file_and_nothing_else()
    {
        var path = folder.File("m.safetensors");
        SafetensorsWriter.Write(path, [Samples.Floats("old", 1)]);
        var old = File.ReadAllBytes(path);
        TensorSource[] bad =
        [
            new("short", DType.F32, [2], s => s.Write(new byte[7])),
            new("long", DType.F32, [2], s => s.Write(new byte[9])),
            new("fails", DType.F32, [2], _ => throw new IOException("no space left on device")),
        ];
        foreach (var (tensor, reason) in bad.Zip(["gave 7 bytes of the 8", "more than the 8 bytes", "no space left"]))
        {
            var error = Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(path, [Samples.Floats("fine", 1), tensor]));
            Assert.Contains(reason, error.Message);
            Assert.Equal(old, File.ReadAllBytes(path));
            Assert.Equal(["m.safetensors"], folder.Names());
        }

        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(path, [new("bug", DType.F32, [2], _ => throw new InvalidOperationException())]));
        Assert.Equal(["m.safetensors"], folder.Names());
    }

    [Fact]
    public void While_a_file_is_written_its_name_shows_the_old_content()
    {
        var path = folder.File("m.safetensors");
        SafetensorsWriter.Write(path, [Samples.Floats("a", 1)]);
        SafetensorsWriter.Write(path,
        [
            new("a", DType.F32, [1], stream =>
            {
                using var old = SafetensorsFile.Open(path);
                Assert.Equal([1f], old.Entries[0].Floats());
                stream.Write(new byte[4]);
            }),
        ]);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal([0f], file.Entries[0].Floats());
    }

    [Fact]
    public void What_a_killed_write_left_behind_is_overwritten_by_the_next()
    {
        folder.Write(".m.safetensors.partial", new byte[1000]);
        SafetensorsWriter.Write(folder.File("m.safetensors"), [Samples.Floats("a", 1)]);
        Assert.Equal(["m.safetensors"], folder.Names());
        using var file = SafetensorsFile.Open(folder.File("m.safetensors"));
        Assert.Equal([1f], file.Entries[0].Floats());
    }

    [Fact]
    public void Two_tensors_of_one_name_are_refused()
    {
        var error = Assert.Throws<CheckpointException>(
            () => SafetensorsWriter.Write(folder.File("m.safetensors"), [Samples.Floats("a", 1), Samples.Floats("a", 1)]));
        Assert.Contains("'a': is to be written twice", error.Message);
        Assert.Empty(folder.Names());
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_named()
    {
        folder.Write("file", "x");
        var path = folder.File("file/m.safetensors");
        var error = Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(path, [Samples.Floats("a", 1)]));
        Assert.StartsWith($"{path}: cannot be written", error.Message);
    }

    [Fact]
    public void A_tensor_is_copied_from_one_file_to_another()
    {
        SafetensorsWriter.Write(folder.File("a.safetensors"), [Samples.Floats("x", 1, 2, 3)]);
        using var source = SafetensorsFile.Open(folder.File("a.safetensors"));
        SafetensorsWriter.Write(folder.File("b.safetensors"), source.Entries.Select(TensorSource.FromEntry).ToArray());
        Assert.Equal(File.ReadAllBytes(folder.File("a.safetensors")), File.ReadAllBytes(folder.File("b.safetensors")));
    }
}
