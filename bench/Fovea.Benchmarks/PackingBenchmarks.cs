using BenchmarkDotNet.Attributes;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;

namespace Fovea.Benchmarks;

/// <summary>One step of 64 samples of 512 tokens, each with an image, packed into micro-batches.</summary>
public class PackingBenchmarks
{
    internal const int Tokens = Samples * Length;

    private const int Samples = 64;
    private const int Length = 512;
    private const int ImageTokens = 144;

    private readonly IReadOnlyList<IReadOnlyList<StepSample>> groups = [.. Enumerable.Range(0, Samples).Select(i => new[] { Sample(i) })];
    private readonly PlanOptions options = new();

    [Benchmark]
    public void Plan() => StepPlanner.Plan(0, groups, options).Dispose();

    private static StepSample Sample(int index)
    {
        var ids = new int[Length];
        var labels = new int[Length];
        Array.Fill(ids, index);
        Array.Fill(labels, EncodedSample.Ignored);
        labels.AsSpan(Length / 2).Fill(index);
        var image = new ImageRef("image.png", new ImageGrid(1, 24, 24), 8, ImageTokens);
        return new StepSample(index, new EncodedSample(ids, labels, [image], "made up", index + 1));
    }
}
