using System.Text;
using System.Text.Json;

namespace Fovea.Data.Templates.Jinja;

/// <summary>JSON as values of templates, as Python's <c>json.loads</c> reads it.</summary>
internal static class PyValue
{
    /// <param name="what">How messages call the text.</param>
    /// <exception cref="ConfigException">It is not JSON, or has a whole number of more than 64 bits.</exception>
    public static object? Read(string json, string what)
    {
        using var parsed = JsonFile.Parse(Encoding.UTF8.GetBytes(json), what);
        return Of(parsed.RootElement, what);
    }

    private static object? Of(JsonElement json, string what) => json.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number => Number(json, what),
        JsonValueKind.Array => new PyList([.. json.EnumerateArray().Select(item => Of(item, what))]),
        _ => json.EnumerateObject().Aggregate(new PyDict(), (dict, property) => dict.With(property.Name, Of(property.Value, what))),
    };

    private static object Number(JsonElement json, string what) => json.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') >= 0 ? json.GetDouble()
        : json.TryGetInt64(out var whole) ? (object)whole : throw new ConfigException($"{what} {json.GetRawText()} has more than 64 bits");
}
