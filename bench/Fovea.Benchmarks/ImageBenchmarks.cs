using BenchmarkDotNet.Attributes;
using Fovea.Data.Images;

namespace Fovea.Benchmarks;

/// <summary>A picture from file bytes to pixels, and from pixels to patches, on one thread; the time of one picture.</summary>
public class ImageBenchmarks
{
    private const int PerInvoke = 32;

    private readonly Qwen2VlImageProcessor processor = new(new Qwen2VlImageSettings());
    private readonly List<(string Path, byte[] Bytes)> files = [.. BenchInputs.Images.Select(path => (path, File.ReadAllBytes(path)))];
    private RgbImage[] images = [];

    [GlobalSetup]
    public void Setup() => images = files.Count == 0 ? [MadeUp(1024, 768)] : [.. files.Select(file => ImageReader.Decode(file.Bytes, file.Path))];

    /// <summary>Does nothing where there are no files.</summary>
    [Benchmark(OperationsPerInvoke = PerInvoke)]
    public void Decode()
    {
        for (var i = 0; i < PerInvoke && files.Count > 0; i++)
        {
            var (path, bytes) = files[i % files.Count];
            ImageReader.Decode(bytes, path);
        }
    }

    [Benchmark(OperationsPerInvoke = PerInvoke)]
    public void Process()
    {
        for (var i = 0; i < PerInvoke; i++)
        {
            processor.Process(images[i % images.Length]);
        }
    }

    private static RgbImage MadeUp(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        new Random(1).NextBytes(pixels);
        return new RgbImage(width, height, pixels);
    }
}
