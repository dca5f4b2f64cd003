using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Quick;

/// <summary>Which option an answer names, as VLMEvalKit's exact matching tells it. What names none is wrong: no option is drawn at random.</summary>
internal static partial class ChoiceReader
{
    private const string Marks = ".()[],:;!*#{}";

    // A letter counts among the last words alone: a sentence may begin with the article A.
    private const int LastWords = 5;

    private static readonly string[] Refusals =
    [
        "Sorry, I can't help with images of people yet.", "I can't process this file.", "I'm sorry, but without the image provided",
        "Cannot determine the answer",
    ];

    /// <summary>The letter of the option, Z for a refusal, null where nothing is named.</summary>
    public static string? Read(string answer, IReadOnlyList<Choice> choices) => Letter(answer, choices) ?? FromText(answer, choices);

    /// <summary>How the answer was read, where it is not the letter at once.</summary>
    public static string? Note(string? read, string answer) => read is null ? "names no option"
        : PythonText.Trim(answer) == read ? null
        : $"read as {read}";

    private static string? Letter(string answer, IReadOnlyList<Choice> choices)
    {
        if (answer.Contains("Failed to obtain answer via API", StringComparison.Ordinal))
        {
            return null;
        }

        if (Array.Exists(Refusals, refusal => answer.Contains(refusal, StringComparison.Ordinal)))
        {
            return "Z";
        }

        var words = PythonText.Words(string.Concat(answer.Select(c => Marks.Contains(c) ? ' ' : c)));
        var named = choices.Where(choice => words.Contains(choice.Letter)).ToList();
        if (named.Count == 1 && words.IndexOf(named[0].Letter) > words.Count - LastWords)
        {
            return named[0].Letter;
        }

        if (named.Count == 0 && words.Contains("Z"))
        {
            return "Z";
        }

        var said = AnswerIs().Match(answer).Groups[1].Value.ToUpperInvariant();
        return choices.Any(choice => choice.Letter == said) ? said : null;
    }

    /// <summary>The one option whose text the answer contains, unless the answer is much longer than all options together.</summary>
    private static string? FromText(string answer, IReadOnlyList<Choice> choices)
    {
        var text = answer.ToLowerInvariant();
        if (PythonCase.Length(text) > 2 * choices.Sum(choice => PythonCase.Length(choice.Text)))
        {
            return null;
        }

        var contained = choices.Where(choice => text.Contains(choice.Text.ToLowerInvariant(), StringComparison.Ordinal)).ToList();
        return contained.Count == 1 ? contained[0].Letter : null;
    }

    [GeneratedRegex(@"(?:correct[\s\x1c-\x1f]+)?answer[\s\x1c-\x1f]+is[\s\x1c-\x1f]+\**([ABCD])\**", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex AnswerIs();
}
