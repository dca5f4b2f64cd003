using System.Text.RegularExpressions;
using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>Reads yes or no out of an answer as VLMEvalKit's exact matching does: one of the words and not the other.</summary>
internal static partial class YesNo
{
    private const string Marks = ";/[]\"{}()=+\\_-><@`,?!";

    /// <summary>True for yes, false for no, null where neither or both are said.</summary>
    public static bool? Read(string answer)
    {
        var words = PythonText.Words(WithoutMarks(answer.ToLowerInvariant()));
        var (yes, no) = (words.Contains("yes"), words.Contains("no"));
        return yes == no ? null : yes;
    }

    /// <exception cref="ConfigException">The row's answer is neither.</exception>
    public static bool Truth(TableRow row, params ReadOnlySpan<string> columns) => row.Text(columns).Trim().TrimEnd('.').ToLowerInvariant() switch
    {
        "yes" => true,
        "no" => false,
        var other => throw row.Problem($"the answer must be yes or no, not {Problems.Brief(other)}"),
    };

    public static string Word(bool yes) => yes ? "Yes" : "No";

    /// <summary>What was read, where it is not what the answer says at once.</summary>
    public static string? Note(bool? read, string answer) => read is not { } yes ? "neither yes nor no"
        : PythonText.Trim(answer).Equals(Word(yes), StringComparison.OrdinalIgnoreCase) ? null
        : $"read as {Word(yes)}";

    /// <summary>Marks go where one stands beside a blank, or where any number has a comma; elsewhere they are blanks. So do points beside no digit.</summary>
    private static string WithoutMarks(string text)
    {
        var hasComma = NumberWithComma().IsMatch(text);
        var result = text;
        foreach (var mark in Marks)
        {
            var isBeside = hasComma || text.Contains($"{mark} ", StringComparison.Ordinal) || text.Contains($" {mark}", StringComparison.Ordinal);
            result = result.Replace(mark.ToString(), isBeside ? string.Empty : " ", StringComparison.Ordinal);
        }

        // As the original's call has it, 32 of them at most.
        return Point().Replace(result, string.Empty, 32);
    }

    [GeneratedRegex(@"\d,\d", RegexOptions.CultureInvariant)]
    private static partial Regex NumberWithComma();

    [GeneratedRegex(@"(?<!\d)\.(?!\d)", RegexOptions.CultureInvariant)]
    private static partial Regex Point();
}
