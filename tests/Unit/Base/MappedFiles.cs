using Fovea.Files.Safetensors;
using Fovea.Native;
using Fovea.Tests.Unit.Files;

namespace Fovea.Tests.Unit.Base;

public sealed class MappedFiles : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_map_shows_the_file_and_outlives_its_name()
    {
        var path = folder.Write("f", [1, 2, 3, 4, 5]);
        var map = MappedFile.Open(path);
        File.Delete(path);
        Assert.Equal(5, map.Length);
        Assert.Equal([2, 3], map.Slice(1, 2).ToArray());
        map.DropPages();
        Assert.Equal([1, 2, 3, 4, 5], map.Slice(0, 5).ToArray());
        map.Release();
    }

    [Fact]
    public void The_last_reference_frees_the_map_and_none_before()
    {
        var before = RawMemory.Live;
        var map = MappedFile.Open(folder.Write("f", [9]));
        Assert.Equal(before + 1, RawMemory.Live);
        map.AddRef();
        map.Release();
        Assert.Equal(9, map.Slice(0, 1)[0]);
        map.Release();
        Assert.Equal(before, RawMemory.Live);
        Assert.Throws<ObjectDisposedException>(() => map.Slice(0, 1).Length);
        Assert.Throws<ObjectDisposedException>(map.AddRef);
        Assert.Throws<InvalidOperationException>(map.Release);
        Assert.Equal(before, RawMemory.Live);
    }

    [Fact]
    public void A_tensor_that_took_a_reference_outlives_its_reader()
    {
        var path = folder.File("m.safetensors");
        SafetensorsWriter.Write(path, [Samples.Floats("a", 1, 2)]);
        var before = RawMemory.Live;
        var file = SafetensorsFile.Open(path);
        var entry = file.Entries[0];
        entry.Memory.AddRef();
        file.Dispose();
        file.Dispose();
        Assert.Equal([1f, 2f], entry.Floats());
        entry.Memory.Release();
        Assert.Equal(before, RawMemory.Live);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 6)]
    [InlineData(5, 1)]
    [InlineData(6, 0)]
    [InlineData(0, -1)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(1, long.MaxValue)]
    public void A_range_outside_the_map_is_refused(long offset, long length)
    {
        var map = MappedFile.Open(folder.Write("f", [1, 2, 3, 4, 5]));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.Slice(offset, length).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => map.DropPages(offset, length));
        map.Release();
    }

    [Fact]
    public void Files_above_2_GiB_are_mapped_and_read_in_pieces()
    {
        // A sparse file: takes no room on disk, and only the pages touched are read.
        var path = folder.File("sparse");
        using (var file = File.Create(path))
        {
            file.SetLength((1L << 31) + 16);
        }

        var map = MappedFile.Open(path);
        Assert.Throws<ArgumentOutOfRangeException>(() => map.Slice(0, 1L << 31).Length);
        Assert.Equal(8, map.Slice((1L << 31) + 8, 8).Length);
        map.Release();
    }
}
