using BenchmarkDotNet.Attributes;
using Fovea.Files.Safetensors;
using Fovea.Tensors;

namespace Fovea.Benchmarks;

/// <summary>
/// Opening a safetensors file of as many tensors as a model of 3 billion weights has: the header is read, the data is mapped and not looked at.
/// </summary>
public class SafetensorsBenchmarks
{
    internal const int Tensors = 824;

    private readonly string folder = Directory.CreateTempSubdirectory("fovea-bench-").FullName;

    [GlobalSetup]
    public void Setup() => SafetensorsWriter.Write(
        Path.Combine(folder, "model.safetensors"),
        [.. Enumerable.Range(0, Tensors).Select(Made)]);

    [GlobalCleanup]
    public void Cleanup() => Directory.Delete(folder, recursive: true);

    [Benchmark]
    public int Open()
    {
        using var checkpoint = Checkpoint.Open(folder);
        return checkpoint.Tensors.Count;
    }

    private static TensorSource Made(int index) =>
        new($"model.layers.{index / 12}.block.{index % 12}.weight", DType.F32, [16], stream => stream.Write(new byte[64]));
}
