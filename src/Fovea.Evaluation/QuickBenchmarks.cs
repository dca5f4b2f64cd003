using Fovea.Evaluation.IfEval;
using Fovea.Evaluation.Quick;

namespace Fovea.Evaluation;

/// <summary>Benchmarks that need no judge: a few minutes each after a training.</summary>
internal static class QuickBenchmarks
{
    public static IReadOnlyList<Benchmark> All { get; } =
    [
        new ChartQaBenchmark(), new DocVqaBenchmark(), new MmBenchBenchmark(), new MmeBenchmark(), new PopeBenchmark(), new MmmuBenchmark(),
        new ScienceQaBenchmark(), new OcrBenchBenchmark(), new RefCocoBenchmark(), new IfEvalBenchmark(),
    ];
}
