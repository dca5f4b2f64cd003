using Fovea.Data.Templates;

namespace Fovea.Models.MiniCpmV;

/// <summary>An answer's thought in the chat template of Qwen3: the last answer always has one, perhaps of nothing, and earlier ones lose theirs.</summary>
internal static class QwenThoughts
{
    private const string Opens = "<think>";
    private const string Closes = "</think>";

    public static ThoughtMarks Marks { get; } = new($"{Opens}\n", $"\n{Closes}\n\n");

    /// <summary>The last message that asks something; what stands between tags of a tool's result does not.</summary>
    /// <returns>The last message of all where none asks.</returns>
    public static int LastQuestion(IReadOnlyList<(bool User, string Text)> messages)
    {
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            var (user, text) = messages[i];
            if (user && !(text.StartsWith("<tool_response>", StringComparison.Ordinal) && text.EndsWith("</tool_response>", StringComparison.Ordinal)))
            {
                return i;
            }
        }

        return messages.Count - 1;
    }

    /// <param name="answer">As the data has it.</param>
    /// <param name="follows">It comes behind the last question.</param>
    /// <param name="isLast">It is the last message.</param>
    public static string Write(string answer, bool follows, bool isLast)
    {
        var thought = string.Empty;
        var first = answer.IndexOf(Closes, StringComparison.Ordinal);
        if (first >= 0)
        {
            thought = answer[..first].TrimEnd('\n');
            thought = thought[(thought.LastIndexOf(Opens, StringComparison.Ordinal) is >= 0 and var open ? open + Opens.Length : 0)..].TrimStart('\n');
            answer = answer[(answer.LastIndexOf(Closes, StringComparison.Ordinal) + Closes.Length)..].TrimStart('\n');
        }

        return follows && (isLast || thought.Length > 0)
            ? $"{Marks.Open}{thought.Trim('\n')}{Marks.Close}{answer.TrimStart('\n')}"
            : answer;
    }
}
