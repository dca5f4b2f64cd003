using BenchmarkDotNet.Attributes;
using Fovea.Tensors;

namespace Fovea.Benchmarks;

/// <summary>Loss and gradient of hidden states before a frozen head: with logits in memory, 64 MiB at a time, and in the caches.</summary>
public class HeadBenchmarks
{
    private const long ChunkBytes = 64L << 20;

    private Tensor x = null!;
    private Tensor weight = null!;
    private Tensor targets = null!;
    private Tensor weights = null!;

    public static IEnumerable<HeadShape> Shapes =>
        from shape in new[] { (500, 152_064, 64), (60, 152_064, 64), (60, 32_000, 128), (256, 152_064, 384), (256, 32_000, 384), (512, 32_000, 1024) }
        from type in new[] { DType.F32, DType.BF16 }
        select new HeadShape(shape.Item1, shape.Item2, shape.Item3) { Type = type };

    [ParamsSource(nameof(Shapes))]
    public HeadShape Shape { get; set; } = null!;

    internal static IEnumerable<(string Key, string Name, double Operations)> Jobs =>
        from shape in Shapes
        from way in new[] { nameof(Logits), nameof(InCaches) }
        select ($"{way} {shape}", $"{shape}_{(way == nameof(Logits) ? "logits" : "in_caches")}", shape.Operations);

    [GlobalSetup]
    public void Setup()
    {
        x = CreateOps.Empty([Shape.Rows, Shape.Width]).Normal_(0, 1).To(Shape.Type).Keep();
        weight = CreateOps.Empty([Shape.Vocabulary, Shape.Width]).Normal_(0, 0.05).To(Shape.Type).Keep();
        targets = CreateOps.On(Device.Cpu, Enumerable.Range(0, Shape.Rows).Select(i => i * 379L % Shape.Vocabulary).ToArray()).Keep();
        weights = CreateOps.On(Device.Cpu, Enumerable.Repeat(1f / Shape.Rows, Shape.Rows).ToArray()).Keep();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var tensor in new[] { x, weight, targets, weights })
        {
            tensor.Dispose();
        }
    }

    [Benchmark]
    public void Logits()
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("bench");
        var gradient = CreateOps.Empty(x.Shape, Shape.Type);
        var chunk = ChunkBytes / (Shape.Vocabulary * Shape.Type.Size());
        for (var start = 0L; start < Shape.Rows; start += chunk)
        {
            using var inner = TensorScope.Open("chunk");
            var end = Math.Min(Shape.Rows, start + chunk);
            var logits = x.Slice(0, start, end).Linear(weight);
            logits.CrossEntropyInPlace(targets.Slice(0, start, end), weights.Slice(0, start, end));
            gradient.Slice(0, start, end).Copy_(logits.Linear(weight.Transpose()));
        }
    }

    [Benchmark]
    public void InCaches()
    {
        using var scope = TensorScope.Open("bench");
        x.LinearCrossEntropy(weight, targets, weights, gradient: true);
    }
}
