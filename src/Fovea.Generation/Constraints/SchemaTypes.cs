using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>Which types of values facts allow.</summary>
internal static class SchemaTypes
{
    private static readonly string[] All = ["object", "array", "string", "number", "boolean", "null"];

    private static readonly Dictionary<string, string[]> Speaking = new()
    {
        ["object"] = ["properties", "required", "additionalProperties"],
        ["array"] = ["items", "prefixItems", "minItems", "maxItems"],
        ["string"] = ["minLength", "maxLength", "pattern", "format"],
        ["number"] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
    };

    /// <summary>The types that are asked for in so many words; null where none are.</summary>
    public static HashSet<string>? Named(IEnumerable<SchemaFact> facts)
    {
        HashSet<string>? types = null;
        foreach (var fact in facts.Where(fact => fact.Keyword == "type"))
        {
            var own = Names(fact);
            types = types is null ? own : Both(types, own);
        }

        return types;
    }

    /// <summary>The types asked for, or those that the keywords speak of, or all.</summary>
    public static HashSet<string> Of(IReadOnlyCollection<SchemaFact> facts)
    {
        if (Named(facts) is { } named)
        {
            return named;
        }

        var spoken = Speaking.Where(pair => facts.Any(fact => pair.Value.Contains(fact.Keyword))).Select(pair => pair.Key).ToHashSet();
        return spoken.Count > 0 ? spoken : [.. All];
    }

    /// <summary>Whether a value is of one of the types.</summary>
    public static bool Hold(HashSet<string> types, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => types.Contains("object"),
        JsonValueKind.Array => types.Contains("array"),
        JsonValueKind.String => types.Contains("string"),
        JsonValueKind.Number => types.Contains("number") || (types.Contains("integer") && JsonText.Whole(value) is not null),
        JsonValueKind.Null => types.Contains("null"),
        _ => types.Contains("boolean"),
    };

    /// <summary>Whether no value is of a type of both.</summary>
    public static bool Apart(HashSet<string> a, HashSet<string> b) => Both(a, b).Count == 0;

    private static HashSet<string> Both(HashSet<string> a, HashSet<string> b)
    {
        var both = a.Intersect(b).ToHashSet();
        if ((a.Contains("integer") && b.Contains("number")) || (b.Contains("integer") && a.Contains("number")))
        {
            both.Add("integer");
        }

        return both;
    }

    private static HashSet<string> Names(SchemaFact fact)
    {
        IEnumerable<JsonElement> names = fact.Value.Json.ValueKind == JsonValueKind.Array ? fact.Value.Json.EnumerateArray() : [fact.Value.Json];
        var types = new HashSet<string>();
        foreach (var name in names)
        {
            var type = name.ValueKind == JsonValueKind.String ? name.GetString()! : string.Empty;
            types.Add(type == "integer" || All.Contains(type)
                ? type
                : throw fact.Scope.Wrong($"type {JsonText.Show(name)} is none of {string.Join(", ", All)}, integer"));
        }

        if (types.Contains("number"))
        {
            types.Remove("integer");
        }

        return types;
    }
}
