namespace Fovea.Data.Templates;

/// <summary>What stands around the thought that a model writes before its answer, line breaks included (LLaMA-Factory's <c>thought_words</c>).</summary>
internal sealed record ThoughtMarks(string Open, string Close)
{
    /// <summary>How prompts end, whatever a configuration says of thoughts; null where it decides.</summary>
    public string? PromptEnd { get; init; }

    /// <summary>A thought of nothing, which says that the answer follows at once.</summary>
    public string Empty => Open + Close;

    /// <summary>Whether an answer has a thought: one mark is enough.</summary>
    public bool AreIn(string answer) =>
        answer.Contains(Open.Trim(), StringComparison.Ordinal) || answer.Contains(Close.Trim(), StringComparison.Ordinal);

    /// <summary>The answer without its thoughts and the line breaks that then begin it. A thought that is not closed stays.</summary>
    public string Remove(string answer)
    {
        for (var at = answer.IndexOf(Open, StringComparison.Ordinal); at >= 0; at = answer.IndexOf(Open, at, StringComparison.Ordinal))
        {
            var end = answer.IndexOf(Close, at + Open.Length, StringComparison.Ordinal);
            if (end < 0)
            {
                break;
            }

            answer = answer.Remove(at, end + Close.Length - at);
        }

        // Where the prompt opened the thought, the answer begins inside it.
        if (PromptEnd == Open && answer.IndexOf(Close, StringComparison.Ordinal) is >= 0 and var closed)
        {
            answer = answer[(closed + Close.Length)..];
        }

        return answer.TrimStart('\n');
    }
}
