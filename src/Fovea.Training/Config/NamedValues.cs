using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Fovea.Training.Config;

/// <summary>
/// Values by name, each a number or a word: a map (<c>{num_cycles: 2}</c>), the same as JSON text, or Transformers' <c>momentum=0.9, nesterov=true</c>.
/// </summary>
internal sealed class NamedValues
{
    private readonly List<(string Name, string Value)> values = [];

    /// <summary>No values.</summary>
    public static NamedValues None { get; } = new();

    public IEnumerable<string> Names => values.Select(pair => pair.Name);

    /// <summary>The number of that name, which must be there.</summary>
    public double this[string name] => Number(name) ?? throw new KeyNotFoundException($"no number {name}");

    /// <summary>What was written: a number in its invariant form, or a word.</summary>
    public string? Word(string name) => values.Find(pair => pair.Name == name).Value;

    /// <summary>The number of that name; null where there is none.</summary>
    public double? Number(string name) => Word(name) is { } text ? NumberIn(text) : null;

    /// <summary>Whether the value of that name is true; null where it is neither true nor false, or there is none.</summary>
    public bool? Flag(string name) => Word(name)?.ToLowerInvariant() switch
    {
        "true" or "yes" or "1" => true,
        "false" or "no" or "0" => false,
        _ => null,
    };

    /// <summary>A map that reads back to the same values.</summary>
    public override string ToString() => $"{{{string.Join(", ", values.Select(pair => $"{pair.Name}: {pair.Value}"))}}}";

    /// <exception cref="FormatException">It is something else.</exception>
    public static NamedValues Parse(ConfigNode node)
    {
        var read = new NamedValues();
        var map = node switch
        {
            ConfigNode.Map given => given,
            ConfigNode.Scalar { Text: { } text } when text.TrimStart().StartsWith('{') => Json(text),
            ConfigNode.Scalar { Text: { } text } => Assignments(text),
            _ => throw Wrong(),
        };
        foreach (var (name, value) in map.Pairs)
        {
            if (value is ConfigNode.Scalar { Text: null })
            {
                continue;
            }

            var text = value is ConfigNode.Scalar { Text: { } given } ? given.Trim() : throw new FormatException($"{name} must be a number or a word");
            if (!IsWord(name) || (NumberIn(text) is null && !IsWord(text)))
            {
                throw new FormatException($"{name} must be a number or a word");
            }

            if (read.Word(name) is not null)
            {
                throw new FormatException($"{name} is given twice");
            }

            read.values.Add((name, NumberIn(text)?.ToString(CultureInfo.InvariantCulture) ?? text));
        }

        return read;
    }

    private static bool IsWord(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');

    private static double? NumberIn(string text) =>
        double.TryParse(text.Replace("_", string.Empty), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
            ? value
            : null;

    private static ConfigNode.Map Json(string text)
    {
        try
        {
            using var json = JsonText.Parse(Encoding.UTF8.GetBytes(text));
            return ConfigFile.Convert(json.RootElement) as ConfigNode.Map ?? throw Wrong();
        }
        catch (JsonException)
        {
            throw Wrong();
        }
    }

    private static ConfigNode.Map Assignments(string text) => new(
    [
        .. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(one =>
        {
            var at = one.IndexOf('=');
            return at > 0
                ? KeyValuePair.Create(one[..at].Trim(), (ConfigNode)new ConfigNode.Scalar(one[(at + 1)..]))
                : throw Wrong();
        }),
    ]);

    private static FormatException Wrong() => new("it must be a map from names to numbers or words, or name=value separated by commas");
}
