using System.Text.Json;
using YamlDotNet.RepresentationModel;

namespace Fovea.Training.Config;

/// <summary>Reads YAML and JSON into untyped entries that know their line.</summary>
internal static class ConfigFile
{
    private const string Hint = "a configuration is a YAML or JSON file";

    public static IReadOnlyList<ConfigEntry> Read(string path)
    {
        path = UserPath.Expand(path);
        var name = Path.GetFileName(path);
        return path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            ? ParseJson(TextFile.ReadBytes(path, Hint), name)
            : ParseYaml(TextFile.Read(path, Hint), name);
    }

    public static IReadOnlyList<ConfigEntry> ParseYaml(string text, string name) => YamlText.Parse(text, name) switch
    {
        null or YamlScalarNode { Value: null or "" } => [],
        YamlMappingNode root => [.. root.Children.Select(pair => Entry(pair.Key, pair.Value, name))],
        _ => throw new ConfigException($"{name}: a configuration is one list of lines 'key: value'"),
    };

    /// <summary>Reads a value given on the command line: lists and maps as YAML, everything else as it stands.</summary>
    public static ConfigNode ParseValue(string text)
    {
        if (text.StartsWith('[') || text.StartsWith('{'))
        {
            try
            {
                return YamlText.Parse(text, "command line") is { } root ? YamlText.Convert(root, "command line") : new ConfigNode.Scalar(text);
            }
            catch (ConfigException)
            {
                return new ConfigNode.Scalar(text);
            }
        }

        return ConfigNode.Scalar.Plain(text);
    }

    private static ConfigEntry Entry(YamlNode key, YamlNode value, string name) =>
        new(YamlText.KeyOf(key), YamlText.Convert(value, name), $"{name} line {key.Start.Line}");

    private static List<ConfigEntry> ParseJson(ReadOnlyMemory<byte> text, string name)
    {
        using var json = JsonFile.Parse(text, name, lenient: true);
        return json.RootElement.ValueKind == JsonValueKind.Object
            ? [.. json.RootElement.EnumerateObject().Select(p => new ConfigEntry(p.Name, Convert(p.Value), name))]
            : throw new ConfigException($"{name}: a configuration is one JSON object");
    }

    public static ConfigNode Convert(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => new ConfigNode.Items([.. element.EnumerateArray().Select(Convert)]),
        JsonValueKind.Object => new ConfigNode.Map([.. element.EnumerateObject().Select(p => KeyValuePair.Create(p.Name, Convert(p.Value)))]),
        JsonValueKind.Null => new ConfigNode.Scalar(null),
        JsonValueKind.String => new ConfigNode.Scalar(element.GetString()),
        _ => new ConfigNode.Scalar(element.GetRawText()),
    };
}
