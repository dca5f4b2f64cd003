using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Captions;

/// <summary>One rule of the tokenizer of captions.</summary>
/// <param name="pattern">Matched where the token begins. The group <c>t</c>, if there is one, is the token; the rest only follows it.</param>
/// <param name="make">What is written for the token; null leaves it.</param>
internal sealed class PtbRule(string pattern, Func<string, string>? make = null)
{
    private readonly Regex regex = new($@"\G(?:{pattern})", RegexOptions.Compiled | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture);

    /// <summary>What the rule takes at a place: how long the token is, and how long with what has to follow it. Zeros if it does not fit.</summary>
    public (int Token, int All) Match(string text, int at)
    {
        var match = regex.Match(text, at);
        if (!match.Success)
        {
            return (0, 0);
        }

        var token = match.Groups["t"];
        return (token.Success ? token.Length : match.Length, match.Length);
    }

    public string Make(string token) => make is null ? token : make(token);
}
