namespace Fovea.Training.Config;

/// <summary>Reads <c>key=value</c>, <c>--key value</c>, <c>--key=value</c> and <c>--flag</c>; dashes inside a key count as underscores.</summary>
internal static class ConfigOverrides
{
    private const string Place = "command line";

    public static IReadOnlyList<ConfigEntry> Parse(IEnumerable<string> arguments, ICollection<string> problems)
    {
        var tokens = arguments.ToList();
        var entries = new List<ConfigEntry>();
        for (var i = 0; i < tokens.Count; i++)
        {
            var token = tokens[i];
            var dashed = token.StartsWith("--", StringComparison.Ordinal);
            var body = dashed ? token[2..] : token;
            var equals = body.IndexOf('=');
            if (equals > 0)
            {
                entries.Add(Entry(body[..equals], body[(equals + 1)..]));
            }
            else if (dashed && equals < 0 && body.Length > 0)
            {
                var hasValue = i + 1 < tokens.Count && !tokens[i + 1].StartsWith("--", StringComparison.Ordinal);
                entries.Add(Entry(body, hasValue ? tokens[++i] : "true"));
            }
            else
            {
                problems.Add($"{Place}: '{token}' is neither 'key=value' nor '--key value'");
            }
        }

        return entries;
    }

    private static ConfigEntry Entry(string key, string value) => new(key.Trim().Replace('-', '_'), ConfigFile.ParseValue(value.Trim()), Place);
}
