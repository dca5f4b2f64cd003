using System.Text;
using System.Text.RegularExpressions;

namespace Fovea.Hub.Fetching;

/// <summary>Patterns as Python's <c>fnmatch</c> reads them: <c>*</c> crosses folders, a folder's name with a slash at its end means all in it.</summary>
internal sealed class Glob
{
    private readonly Regex shape;

    public Glob(string pattern)
    {
        Pattern = pattern;
        var text = pattern.EndsWith('/') ? pattern + "*" : pattern;
        var expression = new StringBuilder(@"\A(?s:");
        for (var i = 0; i < text.Length; i++)
        {
            var close = text[i] == '[' ? text.IndexOf(']', Math.Min(i + (i + 1 < text.Length && text[i + 1] == '!' ? 3 : 2), text.Length)) : -1;
            switch (text[i])
            {
                case '*':
                    expression.Append(".*");
                    break;
                case '?':
                    expression.Append('.');
                    break;
                case '[' when close > 0:
                    var set = text[(i + 1)..close].Replace(@"\", @"\\", StringComparison.Ordinal).Replace("[", @"\[", StringComparison.Ordinal);
                    expression.Append('[').Append(set[0] == '!' ? $"^{set[1..]}" : set[0] == '^' ? $@"\{set}" : set).Append(']');
                    i = close;
                    break;
                default:
                    expression.Append(Regex.Escape(text[i].ToString()));
                    break;
            }
        }

        shape = new Regex(expression.Append(@")\z").ToString(), RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }

    public string Pattern { get; }

    /// <summary>Whether it can only mean one path.</summary>
    public bool IsPath => Pattern.AsSpan().IndexOfAny('*', '?', '[') < 0 && !Pattern.EndsWith('/');

    public bool Matches(string path) => shape.IsMatch(path);

    /// <exception cref="ConfigException">One is malformed.</exception>
    public static IReadOnlyList<Glob> All(IEnumerable<string> patterns) => [.. patterns.Select(pattern =>
    {
        try
        {
            return new Glob(pattern);
        }
        catch (ArgumentException)
        {
            throw new ConfigException($"'{pattern}' is not a pattern for names of files");
        }
    })];
}
