using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>Files of real pyarrow and a folder of datasets' <c>save_to_disk</c> (bench/peer/interop/data.py golden), each with the same three talks.</summary>
public sealed class ArrowOriginalTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");

    public ArrowOriginalTests() => Environment.SetEnvironmentVariable("XDG_CACHE_HOME", Path.Combine(folder.Root, "cache"));

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        folder.Dispose();
    }

    [Theory]
    [InlineData("saved")]
    [InlineData("large-dictionary-zstd.arrow")]
    [InlineData("views-file-lz4.arrow")]
    public void What_the_originals_wrote_holds_their_rows(string name)
    {
        using var data = DatasetLoader.Load(new() { DatasetDir = folder.Root, Dataset = [TestFiles.Golden($"arrow/{name}")] });
        var rows = Enumerable.Range(0, data.Train.Count).Select(i => data.Train[i]).ToList();
        Assert.Equal(
            ["5 plus 10 is 15.", "A red circle at the top.", "No. The first shows a bar, the second a triangle."],
            rows.Select(row => row.Turns()[^1].Assistant));
        Assert.Equal([[], ["000_0"], ["009_0", "009_1"]], rows.Select(row => row.Images.Select(image => Picture(image.ReadBytes())).ToArray()));
    }

    private static string Picture(byte[] bytes) => Path.GetFileNameWithoutExtension(
        Directory.GetFiles(TestFiles.Golden("qwen2_5_vl_tiny/data/images")).Single(path => File.ReadAllBytes(path).AsSpan().SequenceEqual(bytes)));
}
