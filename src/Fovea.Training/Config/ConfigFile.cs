using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fovea.Training.Config;

/// <summary>Reads YAML and JSON into untyped entries that know their line.</summary>
internal static class ConfigFile
{
    public static IReadOnlyList<ConfigEntry> Read(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ConfigException($"{path}: the configuration cannot be read: {e.Message}");
        }

        var name = Path.GetFileName(path);
        return path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? ParseJson(text, name) : ParseYaml(text, name);
    }

    public static IReadOnlyList<ConfigEntry> ParseYaml(string text, string name)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new ConfigException($"{name} line {e.Start.Line}, column {e.Start.Column}: not valid YAML: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            // The parser loses its way in some unclosed brackets.
            throw new ConfigException($"{name}: not valid YAML: check that every bracket, brace and quote is closed");
        }

        if (stream.Documents.Count == 0 || stream.Documents[0].RootNode is YamlScalarNode { Value: null or "" })
        {
            return [];
        }

        if (stream.Documents.Count > 1 || stream.Documents[0].RootNode is not YamlMappingNode root)
        {
            throw new ConfigException($"{name}: a configuration is one list of lines 'key: value'");
        }

        return [.. root.Children.Select(pair => new ConfigEntry(KeyOf(pair.Key), Convert(pair.Value), $"{name} line {pair.Key.Start.Line}"))];
    }

    /// <summary>Reads a value given on the command line: lists and maps as YAML, everything else as it stands.</summary>
    public static ConfigNode ParseValue(string text)
    {
        if (text.StartsWith('[') || text.StartsWith('{'))
        {
            try
            {
                var stream = new YamlStream();
                stream.Load(new StringReader(text));
                return Convert(stream.Documents[0].RootNode);
            }
            catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException)
            {
                return new ConfigNode.Scalar(text);
            }
        }

        return Plain(text);
    }

    private static List<ConfigEntry> ParseJson(string text, string name)
    {
        try
        {
            var options = new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };
            using var json = JsonDocument.Parse(text, options);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new ConfigException($"{name}: a configuration is one JSON object");
            }

            var entries = json.RootElement.EnumerateObject().Select(p => new ConfigEntry(p.Name, Convert(p.Value), name)).ToList();
            var twice = entries.GroupBy(entry => entry.Key).Where(group => group.Count() > 1).Select(group => group.Last().Problem("is given twice")).ToList();
            return twice.Count == 0 ? entries : throw new ConfigException(twice);
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{name} line {e.LineNumber + 1}: not valid JSON: {e.Message}");
        }
    }

    private static string KeyOf(YamlNode key) => key is YamlScalarNode { Value: { } text } ? text : key.ToString();

    private static ConfigNode Convert(YamlNode node) => node switch
    {
        YamlSequenceNode list => new ConfigNode.Items([.. list.Children.Select(Convert)]),
        YamlMappingNode map => new ConfigNode.Map([.. map.Children.Select(pair => KeyValuePair.Create(KeyOf(pair.Key), Convert(pair.Value)))]),
        YamlScalarNode { Style: ScalarStyle.Plain } scalar => Plain(scalar.Value),
        YamlScalarNode scalar => new ConfigNode.Scalar(scalar.Value),
        _ => new ConfigNode.Scalar(null),
    };

    private static ConfigNode Convert(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => new ConfigNode.Items([.. element.EnumerateArray().Select(Convert)]),
        JsonValueKind.Object => new ConfigNode.Map([.. element.EnumerateObject().Select(p => KeyValuePair.Create(p.Name, Convert(p.Value)))]),
        JsonValueKind.Null => new ConfigNode.Scalar(null),
        JsonValueKind.String => new ConfigNode.Scalar(element.GetString()),
        _ => new ConfigNode.Scalar(element.GetRawText()),
    };

    private static ConfigNode.Scalar Plain(string? text) => new(text is null or "" or "~" or "null" or "Null" or "NULL" ? null : text);
}
