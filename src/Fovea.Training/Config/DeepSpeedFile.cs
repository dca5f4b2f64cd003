using System.Text.Json;

namespace Fovea.Training.Config;

/// <summary>Reads DeepSpeed's configuration as DeepSpeed does: strict JSON, without comments, every key once.</summary>
internal static class DeepSpeedFile
{
    /// <param name="source">A path, or the JSON itself.</param>
    /// <exception cref="FormatException">It cannot be read; says why, and where.</exception>
    public static ConfigNode.Map Read(string source)
    {
        string text;
        try
        {
            text = IsInline(source) ? source : File.ReadAllText(source);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new FormatException($"{source} cannot be read: {e.Message}");
        }

        try
        {
            using var json = JsonDocument.Parse(text);
            return Convert(json.RootElement, []) as ConfigNode.Map ?? throw new FormatException($"{Name(source)} is not one JSON object");
        }
        catch (JsonException e)
        {
            throw new FormatException($"{Name(source)} line {e.LineNumber + 1} is not valid JSON (DeepSpeed allows no comments either): {e.Message}");
        }
        catch (FormatException e)
        {
            throw new FormatException(e.Message.StartsWith(Name(source), StringComparison.Ordinal) ? e.Message : $"{Name(source)}: {e.Message}");
        }
    }

    /// <summary>How messages call it.</summary>
    public static string Name(string source) => IsInline(source) ? "the mapping" : Path.GetFileName(source);

    private static bool IsInline(string source) => source.StartsWith('{');

    private static ConfigNode Convert(JsonElement element, string[] path)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Array:
                return new ConfigNode.Items([.. element.EnumerateArray().Select(item => Convert(item, path))]);
            case JsonValueKind.Object:
                var pairs = new List<KeyValuePair<string, ConfigNode>>();
                foreach (var property in element.EnumerateObject())
                {
                    string[] inner = [.. path, property.Name];
                    if (pairs.Exists(pair => pair.Key == property.Name))
                    {
                        throw new FormatException($"{string.Join('.', inner)} is given twice");
                    }

                    pairs.Add(KeyValuePair.Create(property.Name, Convert(property.Value, inner)));
                }

                return new ConfigNode.Map(pairs);
            case JsonValueKind.Null:
                return new ConfigNode.Scalar(null);
            case JsonValueKind.String:
                return new ConfigNode.Scalar(element.GetString());
            default:
                return new ConfigNode.Scalar(element.GetRawText());
        }
    }
}
