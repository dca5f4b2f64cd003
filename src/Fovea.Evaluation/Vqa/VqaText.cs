using System.Buffers;
using System.Collections.Frozen;
using System.Text;

namespace Fovea.Evaluation.Vqa;

/// <summary>
/// How answers are made alike before they are compared: the rules of the official evaluator of VQA, its slips included, because published numbers rest on
/// them. Among these: one number with a comma ("1,000") makes every mark vanish that would have become a blank, "none" is 0, and a full stop goes wherever
/// no digit follows.
/// </summary>
internal static class VqaText
{
    private const string Marks = ";/[]\"{}()=+\\_-><@`,?!";

    private static readonly SearchValues<char> AnyMark = SearchValues.Create(Marks);

    // The original passes a flag where the number of replacements is expected.
    private const int MostFullStops = 32;

    private static readonly FrozenDictionary<string, string> Numbers = new Dictionary<string, string>
    {
        ["none"] = "0", ["zero"] = "0", ["one"] = "1", ["two"] = "2", ["three"] = "3", ["four"] = "4", ["five"] = "5", ["six"] = "6", ["seven"] = "7",
        ["eight"] = "8", ["nine"] = "9", ["ten"] = "10",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    // A stroke stands where the text lacks the apostrophe that it is given; where there is no stroke, the text stays. One gives an apostrophe away.
    private static readonly FrozenDictionary<string, string> Contractions = (
        "ain|t aren|t can|t could|ve couldn|t couldn't|ve couldn|t've didn|t doesn|t don|t hadn|t hadn|t've hadn't|ve hasn|t haven|t he|d he|d've he'd|ve "
        + "he|s how|d how|ll how|s isn|t it|d it|d've it'd|ve it|ll let's ma|am mightn|t mightn|t've mightn't|ve might|ve mustn|t must|ve needn|t not|ve "
        + "o|clock oughtn|t |ow's'at 'ow|s'at 'ow's|at shan|t she|d've she'd|ve she's should|ve shouldn|t shouldn|t've shouldn't|ve somebody|d've "
        + "somebody'd|ve somebody|ll somebody|s someone|d someone|d've someone'd|ve someone|ll someone|s something|d something|d've something'd|ve "
        + "something|ll that|s there|d there|d've there'd|ve there|re there|s they|d they|d've they'd|ve they|ll they|re they|ve |twas wasn|t we|d've "
        + "we'd|ve we|ve weren|t what|ll what|re what|s what|ve when|s where|d where|s where|ve who|d who|d've who'd|ve who|ll who|s who|ve why|ll why|re "
        + "why|s won|t would|ve wouldn|t wouldn|t've wouldn't|ve y|all y|all'll y'all|ll y|all'd've y'all|d've y'all'd|ve you|d you|d've you'd|ve you|ll "
        + "you|re you|ve").Split(' ')
        .Select(pair => (Key: pair.Replace("|", string.Empty), Value: pair.Replace('|', '\'')))
        .Append((Key: "somebody'd", Value: "somebodyd"))
        .ToFrozenDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);

    /// <summary>What is compared where the ten answers are all alike: line ends and tabs are blanks, and the ends are bare.</summary>
    public static string Clean(string text) => PythonText.Trim(text.AsSpan().ContainsAny('\n', '\t') ? text.Replace('\n', ' ').Replace('\t', ' ') : text);

    /// <summary>The official rules, on clean text.</summary>
    public static string Official(string clean) => Words(Punctuation(clean));

    /// <summary>
    /// The rules of lmms-eval for OK-VQA and TextVQA (EvalAI's processor): commas and question marks go and "'s" is parted before the official rules.
    /// </summary>
    public static string LmmsEval(string text)
    {
        var parted = text.ToLowerInvariant().Replace(",", string.Empty).Replace("?", string.Empty).Replace("'s", " 's");
        return Official(Clean(PythonText.Trim(parted)));
    }

    /// <summary>The first step of the official rules: marks.</summary>
    internal static string Punctuation(string text)
    {
        var result = text;
        if (text.AsSpan().ContainsAny(AnyMark))
        {
            var hasLargeNumber = HasCommaInNumber(text);
            foreach (var mark in Marks.Where(text.Contains))
            {
                result = result.Replace(mark.ToString(), hasLargeNumber || TouchesBlank(text, mark) ? string.Empty : " ");
            }
        }

        return WithoutFullStops(result);
    }

    /// <summary>The second step: lower case, numbers in words, articles, contractions.</summary>
    private static string Words(string text)
    {
        var words = new StringBuilder(text.Length + 4);
        foreach (var word in PythonText.Words(text.ToLowerInvariant()))
        {
            var number = Numbers.GetValueOrDefault(word, word);
            if (number is "a" or "an" or "the")
            {
                continue;
            }

            words.Append(words.Length == 0 ? string.Empty : " ").Append(Contractions.GetValueOrDefault(number, number));
        }

        return words.ToString();
    }

    private static bool TouchesBlank(string text, char mark)
    {
        for (var at = text.IndexOf(mark); at >= 0; at = text.IndexOf(mark, at + 1))
        {
            if ((at > 0 && text[at - 1] == ' ') || (at + 1 < text.Length && text[at + 1] == ' '))
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasCommaInNumber(string text)
    {
        for (var at = text.IndexOf(',', 0); at >= 0; at = text.IndexOf(',', at + 1))
        {
            if (at > 0 && at + 1 < text.Length && char.IsAsciiDigit(text[at - 1]) && char.IsAsciiDigit(text[at + 1]))
            {
                return true;
            }
        }

        return false;
    }

    private static string WithoutFullStops(string text)
    {
        if (!text.Contains('.'))
        {
            return text;
        }

        var kept = new StringBuilder(text.Length);
        var gone = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '.' && gone < MostFullStops && !(i + 1 < text.Length && char.IsAsciiDigit(text[i + 1])))
            {
                gone++;
                continue;
            }

            kept.Append(text[i]);
        }

        return kept.ToString();
    }
}
