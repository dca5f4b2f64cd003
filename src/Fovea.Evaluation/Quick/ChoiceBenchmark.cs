using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Questions with options, one of which is right.</summary>
internal abstract class ChoiceBenchmark : TableBenchmark
{
    protected const string Metric = "Overall";
    protected const string LetterLine = "Answer with the option's letter from the given choices directly.";

    public override int MaxNewTokens => 128;

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var scores = Judge(items, answers);
        double[] values = [.. scores.Select(score => score.Score)];
        return new BenchmarkScore { Metrics = [Means.Of(Metric, values)], Items = scores, Groups = [.. Means.ByGroup(items, values, Metric)] };
    }

    /// <summary>Each item on its own.</summary>
    protected static IReadOnlyList<ItemScore> Judge(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers) =>
    [
        .. items.Select((item, i) =>
        {
            var truth = (ChoiceTruth)item.Truth!;
            var read = ChoiceReader.Read(answers[i][0], truth.Choices);
            return new ItemScore(read == truth.Letter ? 1 : 0, ChoiceReader.Note(read, answers[i][0]));
        }),
    ];

    /// <summary>The columns A, B, C, ... that are there, or a list of options.</summary>
    protected static List<Choice> Choices(TableRow row)
    {
        var columns = Letters().Where(letter => row.Has(letter)).Select(letter => new Choice(letter, row.Text(letter))).ToList();
        return columns.Count > 0 || row.ListOrNull("choices", "options") is not { } list ? columns
            : [.. Letters().Zip(list, (letter, text) => new Choice(letter, text))];
    }

    /// <summary>The letter of the right option, from a letter or from its number, counted from 0.</summary>
    /// <exception cref="ConfigException">It is none of the options.</exception>
    protected static string Letter(TableRow row, IReadOnlyList<Choice> choices)
    {
        var answer = PythonText.Trim(row.TextOrNull("answer")
            ?? throw row.Problem("answer is missing: a split whose answers are kept secret cannot be scored here"));
        var letter = int.TryParse(answer, out var index) && index >= 0 && index < choices.Count ? choices[index].Letter : answer;
        return choices.Any(choice => choice.Letter == letter) ? letter
            : throw row.Problem($"the answer '{Problems.Brief(answer)}' is none of the options {string.Join(", ", choices.Select(choice => choice.Letter))}");
    }

    protected static string Lines(IEnumerable<Choice> choices) => string.Join('\n', choices.Select(choice => $"{choice.Letter}. {choice.Text}"));

    private static IEnumerable<string> Letters() => Enumerable.Range('A', 26).Select(letter => ((char)letter).ToString());
}
