using System.Text.RegularExpressions;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>University exams in thirty subjects, images at their places in the text.</summary>
internal sealed partial class MmmuBenchmark : ChoiceBenchmark
{
    private const string OpenLine = "Answer the question using a single word or phrase.";

    public override string Name => "mmmu";

    public override string Title => "MMMU: university exams in thirty subjects";

    public override string Rule =>
        "The share of right answers, 0 to 1, by VLMEvalKit @e8e78f0, exact matching: an open question becomes one of options A, the expected answer, "
        + "and B, Other Answers; "
        + "an answer that names no option is wrong. An open question is asked with \"" + OpenLine
        + "\" in place of the line about the letter, unless a prompt is given. "
        + "Published numbers are of the split validation.";

    public override string Prompt => $"{{question}}\n\n{LetterLine}";

    protected override IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number)
    {
        var choices = Choices(row);
        var isOpen = choices.Count == 0 || !choices.Exists(choice => choice.Letter == "A");
        var question = row.Text("question");
        var asked = isOpen ? question : $"{question}\n{Lines(choices)}";
        var letter = "A";
        if (isOpen)
        {
            // The original's rule for scoring, an answer of one letter included; the question is asked without options.
            letter = row.Text("answer") is [>= 'A' and <= 'Z'] one ? one : letter;
            choices = [new Choice("A", row.Text("answer")), new Choice("B", "Other Answers"), .. choices.Where(choice => choice.Letter != "B")];
        }
        else
        {
            letter = Letter(row, choices);
        }

        var prompt = input.Prompt ?? (isOpen ? $"{{question}}\n\n{OpenLine}" : Prompt);
        yield return new BenchmarkItem
        {
            Id = Id(row, number),
            Turns = [new Message(Role.User, input.ScoresOnly ? [new Text(asked)] : Interleave(row, Questions.Ask(prompt, asked)))],
            Question = asked,
            Expected = isOpen ? row.Text("answer") : letter,
            Groups = Kinds(row),
            Truth = new ChoiceTruth(choices, letter),
        };
    }

    private static Dictionary<string, string> Kinds(TableRow row)
    {
        var groups = Groups(row, "split", "category", "l2-category", "subfield", "question_type", "topic_difficulty");
        if (OfficialId().Match(row.TextOrNull("id") ?? string.Empty) is { Success: true } id)
        {
            groups.TryAdd("split", id.Groups[1].Value);
            groups["subject"] = id.Groups[2].Value;
        }

        return groups;
    }

    /// <summary>Images where the text speaks of them; all of them first where it does not.</summary>
    private static List<Part> Interleave(TableRow row, string text)
    {
        var pieces = ImagePlace().Split(text);
        if (pieces.Length == 1)
        {
            return [.. row.Pictures.Select(picture => new Image(picture.Source)), new Text(text)];
        }

        var parts = new List<Part>();
        for (var i = 0; i < pieces.Length; i++)
        {
            if (i % 2 == 1)
            {
                parts.Add(new Image(Find(row, pieces[i]).Source));
            }
            else if (PythonText.Trim(pieces[i]).Length > 0)
            {
                parts.Add(new Text(pieces[i]));
            }
        }

        return parts;
    }

    private static Picture Find(TableRow row, string number) => row.Named.TryGetValue($"image_{number}", out var named) ? named
        : int.TryParse(number, out var place) && place >= 1 && place <= row.Pictures.Count ? row.Pictures[place - 1]
        : throw row.Problem($"the text speaks of <image {number}>, which the row does not have");

    [GeneratedRegex("^(dev|validation|test)_(.+)_[0-9]+$", RegexOptions.CultureInvariant)]
    private static partial Regex OfficialId();

    [GeneratedRegex("<image ([0-9]+)>", RegexOptions.CultureInvariant)]
    private static partial Regex ImagePlace();
}
