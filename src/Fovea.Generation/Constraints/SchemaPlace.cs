using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>A schema and where it stands, as a JSON pointer.</summary>
internal readonly record struct SchemaPlace(JsonElement Json, string Path)
{
    public SchemaPlace At(string key) => new(Json.GetProperty(key), $"{Path}/{Escaped(key)}");

    public IEnumerable<SchemaPlace> Items()
    {
        var index = 0;
        foreach (var item in Json.EnumerateArray())
        {
            yield return new(item, $"{Path}/{index++}");
        }
    }

    public IEnumerable<(string Name, SchemaPlace Schema)> Pairs()
    {
        foreach (var pair in Json.EnumerateObject())
        {
            yield return (pair.Name, new(pair.Value, $"{Path}/{Escaped(pair.Name)}"));
        }
    }

    public ConfigException Wrong(string problem) => new($"the JSON schema at {Path}: {problem}");

    private static string Escaped(string key) => key.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
