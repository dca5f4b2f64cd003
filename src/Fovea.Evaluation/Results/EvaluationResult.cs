using Fovea.Evaluation.Report;
using Fovea.Evaluation.Statistics;

namespace Fovea.Evaluation.Results;

/// <summary>A benchmark with the answers to it and their scores: what is printed, written as JSON and shown in the report.</summary>
internal sealed class EvaluationResult
{
    /// <param name="answers">The answers to the turns of each item.</param>
    public EvaluationResult(Benchmark benchmark, IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        (Benchmark, Items, Answers) = (benchmark, items, answers);
        Score = benchmark.Score(items, answers);
        Resampled = Bootstrap.Values(Score.Metrics, items.Count);
        Intervals = [.. Resampled.Select(Bootstrap.Of)];
    }

    public Benchmark Benchmark { get; }

    public IReadOnlyList<BenchmarkItem> Items { get; }

    public IReadOnlyList<IReadOnlyList<string>> Answers { get; }

    public BenchmarkScore Score { get; }

    /// <summary>The values of each metric on the samples of the bootstrap; none where a metric cannot be resampled.</summary>
    public IReadOnlyList<double[]> Resampled { get; }

    /// <summary>95 % intervals, in the order of the metrics.</summary>
    public IReadOnlyList<Interval?> Intervals { get; }

    /// <summary>Model, adapters, prompt, settings, files: what a number's reader has to know besides the rule.</summary>
    public IReadOnlyList<ReportFact> Facts { get; init; } = [];

    /// <summary>Sentences that change what the numbers mean: only a part was asked, answers are missing.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Why items have no answer, by their places.</summary>
    public IReadOnlyDictionary<int, string> Problems { get; init; } = new Dictionary<int, string>();

    /// <summary>One line that names what answered; empty where that is not known.</summary>
    public string Answerer { get; init; } = string.Empty;

    /// <summary>All facts, the rule among them.</summary>
    public IReadOnlyList<ReportFact> AllFacts =>
    [
        new("Rule", Benchmark.Rule), .. Facts, new("Intervals", $"95 %, percentile bootstrap over items, {Bootstrap.Resamples} samples"),
        .. Benchmark.LeftOut.Count > 0 ? [new ReportFact("Not computed", string.Join('\n', Benchmark.LeftOut))] : Array.Empty<ReportFact>(),
    ];

    /// <summary>The numbers of it.</summary>
    public BenchmarkScores Scores => new(Benchmark.Name, Items.Count, [.. Score.Metrics.Zip(Intervals, (metric, interval) =>
        new BenchmarkMetric(metric.Name, metric.Value, interval?.Low, interval?.High))]) { Rule = Benchmark.Rule, Notes = Notes };

    /// <summary>The report of it.</summary>
    public AnswerReport ToReport() => new()
    {
        Title = Parts[0],
        Subtitle = string.Join(" · ", Parts.Skip(1).Append(Answerer).Where(part => part.Length > 0)),
        Metrics = [.. Score.Metrics.Zip(Intervals, (metric, interval) => new ReportMetric(metric.Name, metric.Value, interval?.Low, interval?.High))],
        Facts = AllFacts,
        Groups = Score.Groups,
        Notes = Notes,
        Rows = [.. Items.Select((_, i) => Row(i))],
    };

    // "POPE: is an object in the image": the name is the heading.
    private string[] Parts => Benchmark.Title.Split(": ", 2);

    private ReportRow Row(int i)
    {
        var (item, score) = (Items[i], Score.Items[i]);
        return new ReportRow
        {
            Id = item.Id,
            Turns = [.. item.Turns.Select((turn, t) => new ReportTurn(
                item.Turns.Count == 1 && item.Question.Length > 0 ? item.Question : Words(turn),
                t == item.Turns.Count - 1 && Problems.ContainsKey(i) ? null : Answers[i][t])
            {
                Images = [.. turn.Parts.OfType<Image>().Select(image => image.Source)],
            })],
            Expected = item.Expected,
            Score = score.Score,
            Note = Problems.GetValueOrDefault(i, score.Note ?? string.Empty) is { Length: > 0 } note ? note : null,
            Groups = item.Groups,
        };
    }

    private static string Words(Message message) => string.Concat(message.Parts.OfType<Text>());
}
