using System.Globalization;
using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>The values that <c>enum</c> and <c>const</c> leave.</summary>
internal static class SchemaValues
{
    /// <summary>Those that all of the facts allow; null where no fact names values.</summary>
    public static List<JsonElement>? Of(IReadOnlyCollection<SchemaFact> facts)
    {
        List<JsonElement>? values = null;
        foreach (var fact in facts.Where(fact => fact.Keyword is "enum" or "const"))
        {
            if (fact.Keyword == "enum" && fact.Value.Json.ValueKind != JsonValueKind.Array)
            {
                throw fact.Scope.Wrong("enum must be a list of values");
            }

            List<JsonElement> own = fact.Keyword == "const" ? [fact.Value.Json] : [.. fact.Value.Json.EnumerateArray()];
            values = values is null ? own : [.. values.Where(value => own.Any(other => Same(value, other)))];
        }

        return values is not null && SchemaTypes.Named(facts) is { } types ? [.. values.Where(value => SchemaTypes.Hold(types, value))] : values;
    }

    public static bool Same(JsonElement a, JsonElement b) => Plain(a) == Plain(b);

    /// <summary>Equal for equal values.</summary>
    private static string Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => $"{{{string.Join(',', value.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal)
            .Select(p => JsonSerializer.Serialize(p.Name) + ":" + Plain(p.Value)))}}}",
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Plain))}]",
        JsonValueKind.String => JsonSerializer.Serialize(value.GetString()),
        JsonValueKind.Number when value.TryGetDecimal(out var number) => (number / 1.000000000000000000000000000000m).ToString(CultureInfo.InvariantCulture),
        _ => value.GetRawText(),
    };
}
