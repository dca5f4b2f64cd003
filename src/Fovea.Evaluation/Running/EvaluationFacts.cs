using Fovea.Evaluation.Report;

namespace Fovea.Evaluation.Running;

/// <summary>What a result says about how it came about.</summary>
internal static class EvaluationFacts
{
    /// <summary>The benchmark's files.</summary>
    public static IEnumerable<ReportFact> Files(BenchmarkInput input) => new[]
    {
        ("Data", input.Data), ("Questions", input.Questions), ("Annotations", input.Annotations), ("Images", input.Images),
    }.Where(file => file.Item2 is not null).Select(file => new ReportFact(file.Item1, file.Item2!));

    /// <summary>The prompt that is in use.</summary>
    public static ReportFact Prompt(Benchmark benchmark, BenchmarkInput input) =>
        new(input.Prompt is null ? "Prompt" : "Prompt (replaced)", input.Prompt ?? benchmark.Prompt);
}
