using Fovea.Evaluation.Texts;

namespace Fovea.Evaluation.Running;

/// <summary>The items of a benchmark that are to be answered.</summary>
/// <param name="All">Those of the files.</param>
/// <param name="Items">The first of them, as many as are asked for.</param>
/// <param name="Notes">What this means for the numbers.</param>
internal sealed record QuestionSet(IReadOnlyList<BenchmarkItem> All, IReadOnlyList<BenchmarkItem> Items, IReadOnlyList<string> Notes)
{
    /// <exception cref="ConfigException">A file is missing or malformed, an id stands twice, or there is nothing to ask.</exception>
    public static QuestionSet Read(EvaluationRequest request)
    {
        var all = request.Entry.Benchmark.Read(request.Input with
        {
            // Of texts with labels, the file of answers is the benchmark too.
            Data = request.Input.Data ?? (request.Entry.Benchmark is TextBenchmark ? request.Predictions : null),
            ScoresOnly = request.Predictions is not null,
            Limit = request.Limit,
        });
        if (all.Count == 0)
        {
            throw new ConfigException($"{request.Entry.Benchmark.Name}: there is nothing to ask in {request.Input.Data ?? request.Input.Questions}");
        }

        var twice = all.GroupBy(item => item.Id, StringComparer.Ordinal).Where(of => of.Count() > 1).Select(of => of.Key).Take(3).ToList();
        if (twice.Count > 0)
        {
            throw new ConfigException($"{request.Entry.Benchmark.Name}: ids that stand twice in the benchmark's files: {string.Join(", ", twice)}");
        }

        return request.Limit is { } limit && limit < all.Count
            ? new QuestionSet(all, [.. all.Take(limit)], [$"The first {limit} of {all.Count} items (--limit {limit}): not comparable with published numbers."])
            : new QuestionSet(all, all, []);
    }
}
