using Fovea.Evaluation.Custom;

namespace Fovea.Evaluation;

/// <summary>All benchmarks with the files that each needs, as a terminal shows them.</summary>
internal static class BenchmarkList
{
    public static string Text()
    {
        var rows = Benchmarks.All.Select(entry => $"  {entry.Benchmark.Name.PadRight(20)}{entry.Benchmark.Title}\n  {string.Empty,-20}{entry.Files}\n");
        return $"""
            Benchmarks (fovea evaluate NAME --data PATH --model FOLDER):

            {string.Concat(rows)}  {"custom",-20}Rows of one's own, with --metric {string.Join('|', CustomMetric.Names)}
              {string.Empty,-20}--data rows.jsonl: rows that training reads, or fields question, image or images, answer or answers

            """;
    }
}
