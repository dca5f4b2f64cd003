using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Coherence;

/// <summary>
/// Reads an answer by an exact rule: it says those candidates that stand in it as words, whatever the letter case; where numbers are expected, those
/// in digits or in words up to twenty. It is right if it says the expected one and no other.
/// </summary>
internal static partial class CoherenceReading
{
    private static readonly string[] Numbers =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
        "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
    ];

    /// <summary>What the answer says, in its order, each once.</summary>
    public static IReadOnlyList<string> Of(string answer, CoherenceQuestion question)
    {
        var words = Word().Matches(answer.ToLowerInvariant()).Select(match => match.Value);
        return question.Candidates.Count == 0
            ? [.. words.Select(Number).OfType<string>().Distinct()]
            : [.. words.Select(Candidate).OfType<string>().Distinct()];

        string? Candidate(string word) => question.Candidates.FirstOrDefault(of => of.Equals(word, StringComparison.OrdinalIgnoreCase));
    }

    public static bool IsRight(IReadOnlyList<string> said, CoherenceQuestion question) => said is [var only] && only == question.Expected;

    private static string? Number(string word) => char.IsAsciiDigit(word[0]) ? word.TrimStart('0') is { Length: > 0 } digits ? digits : "0"
        : Array.IndexOf(Numbers, word) is var at and >= 0 ? $"{at}" : null;

    [GeneratedRegex(@"[0-9]+|\p{L}+")]
    private static partial Regex Word();
}
