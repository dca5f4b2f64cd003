using System.Text.Json;

namespace Fovea.Evaluation.Tables;

/// <summary>Rows of JSON: a list, lines, or an object with a list of rows under <c>data</c>, <c>questions</c> or <c>annotations</c>.</summary>
internal static class JsonTable
{
    private const string Hint = "a benchmark's JSON is a list of rows, or one row a line";
    private static readonly string[] Lists = ["data", "questions", "annotations"];

    /// <exception cref="ConfigException">The file cannot be read, or a row is no object.</exception>
    public static IEnumerable<(string Place, Dictionary<string, object?> Cells)> Rows(string path) => ListIn(path) is { } list
        ? list.Select((row, i) => ($"row {i + 1}", Cells(path, $"row {i + 1}", row)))
        : JsonLines.Read(path, Hint).Select(row => (row.Place[(path.Length + 2)..], Cells(path, row.Place[(path.Length + 2)..], row.Row)));

    /// <summary>The list of an object that is the whole file; null for other forms.</summary>
    private static List<JsonElement>? ListIn(string path)
    {
        var bytes = TextFile.ReadBytes(path, Hint);
        try
        {
            var reader = new Utf8JsonReader(bytes.Span, isFinalBlock: true, default);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject || !reader.TrySkip() || !bytes.Span[(int)reader.BytesConsumed..].Trim(" \t\r\n"u8).IsEmpty)
            {
                return null;
            }
        }
        catch (JsonException)
        {
            return null; // read as rows, which says what is wrong
        }

        using var document = JsonFile.Parse(bytes, path);
        foreach (var name in Lists)
        {
            if (document.RootElement.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array)
            {
                return [.. list.Clone().EnumerateArray()];
            }
        }

        return null;
    }

    private static Dictionary<string, object?> Cells(string path, string place, JsonElement row) => row.ValueKind == JsonValueKind.Object
        ? row.EnumerateObject().ToDictionary(property => property.Name, property => Cell(property.Value))
        : throw new ConfigException($"{path}, {place}: {JsonText.Kind(row)}, where an object is expected");

    private static object? Cell(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.TryGetInt64(out var whole) ? (object)whole : value.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Array => value.EnumerateArray().Select(Cell).ToList(),
        JsonValueKind.Object => value.EnumerateObject().Select(property => KeyValuePair.Create(property.Name, Cell(property.Value))).ToList(),
        _ => null,
    };
}
