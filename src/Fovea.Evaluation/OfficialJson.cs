using System.Text.Json;

namespace Fovea.Evaluation;

/// <summary>Reads the official JSON files of data sets: objects with one long list.</summary>
internal static class OfficialJson
{
    /// <summary>The rows of a list, each with its place for messages.</summary>
    /// <exception cref="ConfigException">There is no such list, or a row is no object.</exception>
    public static IEnumerable<(string Place, JsonElement Row)> Rows(JsonElement root, string list, string path)
    {
        if (!root.TryGetProperty(list, out var rows) || rows.ValueKind != JsonValueKind.Array)
        {
            throw new ConfigException(
                $"{path} has no list '{list}'; it has {Data.Datasets.Brief.List([.. root.EnumerateObject().Select(property => property.Name)])}");
        }

        var i = 0;
        foreach (var row in rows.EnumerateArray())
        {
            var place = $"{path}: {list}[{i++}]";
            yield return row.ValueKind == JsonValueKind.Object ? (place, row)
                : throw new ConfigException($"{place} must be an object, not {JsonText.Kind(row)}");
        }
    }

    /// <summary>A number or name as its file spells it.</summary>
    /// <exception cref="ConfigException">It is missing or something else.</exception>
    public static string Id(JsonElement row, string key, string place) => !row.TryGetProperty(key, out var value)
        ? throw new ConfigException($"{place} has no {key}")
        : value.ValueKind switch
        {
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.String => value.GetString()!,
            _ => throw new ConfigException($"{place}.{key} must be a number or text, not {JsonText.Kind(value)}"),
        };

    /// <exception cref="ConfigException">It is missing or no text.</exception>
    public static string Text(JsonElement row, string key, string place) => !row.TryGetProperty(key, out var value)
        ? throw new ConfigException($"{place} has no {key}")
        : value.ValueKind == JsonValueKind.String ? value.GetString()!
        : throw new ConfigException($"{place}.{key} must be text, not {JsonText.Kind(value)}");

    /// <summary>Null where it is missing or no text.</summary>
    public static string? TextOrNull(JsonElement row, string key) =>
        row.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
