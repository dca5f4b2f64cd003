namespace Fovea.Evaluation;

/// <summary>How Python splits and strips text, which the original programs do: it sees four more separators (U+001C to U+001F) than .NET does.</summary>
internal static class PythonText
{
    /// <summary>As <c>str.isspace</c> of one character.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    /// <summary>As <c>str.split()</c>: the words between any whitespace.</summary>
    public static List<string> Words(ReadOnlySpan<char> text)
    {
        var words = new List<string>();
        for (var at = 0; at < text.Length;)
        {
            if (IsSpace(text[at]))
            {
                at++;
                continue;
            }

            var start = at;
            while (at < text.Length && !IsSpace(text[at]))
            {
                at++;
            }

            words.Add(text[start..at].ToString());
        }

        return words;
    }

    /// <summary>As <c>str.rstrip()</c>.</summary>
    public static string TrimEnd(string text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }

    /// <summary>As <c>str.strip()</c>.</summary>
    public static string Trim(string text)
    {
        var start = 0;
        text = TrimEnd(text);
        while (start < text.Length && IsSpace(text[start]))
        {
            start++;
        }

        return text[start..];
    }
}
