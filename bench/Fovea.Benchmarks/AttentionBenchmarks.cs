using BenchmarkDotNet.Attributes;
using Fovea.Tensors;

namespace Fovea.Benchmarks;

/// <summary>Packed attention forward and backward, at the shapes of vision towers and language models, in both types of numbers.</summary>
public class AttentionBenchmarks
{
    private static readonly Shape Tower = new(8, 252, 8, 8, 72, Causal: false);
    private static readonly Shape Windows = new(36, 64, 16, 16, 80, Causal: false);
    private static readonly Shape Samples = new(4, 512, 16, 2, 64, Causal: true);
    private static readonly Shape Long = new(1, 2048, 28, 4, 128, Causal: true);

    private readonly Dictionary<(Shape, DType), Tensor[]> inputs = [];

    /// <summary>What the products of one call take in all, forward 2 and backward 5; of causal ones half.</summary>
    internal static IEnumerable<(string Method, string Name, double Operations)> Jobs =>
    [
        (nameof(TowerFp32), "tower_fp32", Tower.Operations), (nameof(TowerBf16), "tower_bf16", Tower.Operations),
        (nameof(WindowsFp32), "windows_fp32", Windows.Operations), (nameof(WindowsBf16), "windows_bf16", Windows.Operations),
        (nameof(SamplesFp32), "samples_fp32", Samples.Operations), (nameof(SamplesBf16), "samples_bf16", Samples.Operations),
        (nameof(LongFp32), "long_fp32", Long.Operations), (nameof(LongBf16), "long_bf16", Long.Operations),
    ];

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var tensor in inputs.Values.SelectMany(tensors => tensors))
        {
            tensor.Dispose();
        }

        inputs.Clear();
    }

    [Benchmark]
    public void TowerFp32() => Run(Tower, DType.F32);

    [Benchmark]
    public void TowerBf16() => Run(Tower, DType.BF16);

    [Benchmark]
    public void WindowsFp32() => Run(Windows, DType.F32);

    [Benchmark]
    public void WindowsBf16() => Run(Windows, DType.BF16);

    [Benchmark]
    public void SamplesFp32() => Run(Samples, DType.F32);

    [Benchmark]
    public void SamplesBf16() => Run(Samples, DType.BF16);

    [Benchmark]
    public void LongFp32() => Run(Long, DType.F32);

    [Benchmark]
    public void LongBf16() => Run(Long, DType.BF16);

    private void Run(Shape shape, DType type)
    {
        using var scope = TensorScope.Open("bench");
        if (!inputs.TryGetValue((shape, type), out var held))
        {
            inputs[(shape, type)] = held = shape.Draw(type);
        }

        var leaves = Array.ConvertAll(held[..3], tensor => tensor.Detach());
        foreach (var leaf in leaves)
        {
            leaf.RequiresGrad = true;
        }

        var boundaries = shape.Boundaries();
        Autograd.Gradients(NetOps.PackedAttention(leaves[0], leaves[1], leaves[2], boundaries, shape.Causal, 0.1), leaves, held[3]);
    }

    private sealed record Shape(int Segments, int Length, int Heads, int Groups, int Size, bool Causal)
    {
        internal double Operations => 7.0 * 2 * Segments * Length * Length * Heads * Size * (Causal ? 0.5 : 1);

        internal long[] Boundaries()
        {
            var boundaries = new long[Segments + 1];
            for (var i = 0; i <= Segments; i++)
            {
                boundaries[i] = (long)i * Length;
            }

            return boundaries;
        }

        /// <summary>Queries, keys, values and the gradient of the result.</summary>
        internal Tensor[] Draw(DType type)
        {
            Tensor Of(int heads) => CreateOps.Empty([(long)Segments * Length, heads, Size]).Normal_(0, 1).To(type).Keep();
            return [Of(Heads), Of(Groups), Of(Groups), Of(Heads)];
        }
    }
}
