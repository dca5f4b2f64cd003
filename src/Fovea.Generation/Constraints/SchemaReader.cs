using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>Takes schemas apart into what a value must satisfy, references followed, and refuses what cannot be held.</summary>
internal sealed class SchemaReader(JsonElement root)
{
    private const int MostReferences = 100;

    private static readonly HashSet<string> Held = Names("type enum const properties required additionalProperties items prefixItems minItems maxItems "
        + "minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum anyOf oneOf");

    private static readonly HashSet<string> Notes = Names("title description default examples example deprecated readOnly writeOnly $comment $schema $id "
        + "$anchor $defs definitions $vocabulary contentEncoding contentMediaType contentSchema discriminator");

    private static readonly HashSet<string> Refused = Names("not if then else dependentRequired dependentSchemas dependencies patternProperties propertyNames "
        + "unevaluatedProperties unevaluatedItems contains minContains maxContains uniqueItems multipleOf minProperties maxProperties additionalItems "
        + "$dynamicRef $dynamicAnchor $recursiveRef $recursiveAnchor nullable");

    /// <summary>All that a value must satisfy by one schema.</summary>
    public List<SchemaFact> Facts(SchemaPlace schema)
    {
        var facts = new List<SchemaFact>();
        Collect(schema, facts, []);
        return facts;
    }

    /// <summary>The schema itself, or that which it is another name of.</summary>
    public SchemaPlace Named(SchemaPlace schema)
    {
        for (var i = 0; i < MostReferences; i++)
        {
            if (schema.Json.ValueKind != JsonValueKind.Object || !schema.Json.TryGetProperty("$ref", out _)
                || schema.Json.EnumerateObject().Any(pair => pair.Name != "$ref" && !IsNote(pair.Name)))
            {
                return schema;
            }

            schema = Target(schema.At("$ref"));
        }

        throw schema.Wrong("$ref leads back to itself");
    }

    private static HashSet<string> Names(string names) => new(names.Split(' '), StringComparer.Ordinal);

    private static bool IsNote(string keyword) => Notes.Contains(keyword) || keyword.StartsWith("x-", StringComparison.Ordinal);

    private void Collect(SchemaPlace schema, List<SchemaFact> facts, HashSet<string> visited)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (!visited.Add(schema.Path))
        {
            return; // what holds already
        }

        switch (schema.Json.ValueKind)
        {
            case JsonValueKind.True:
                return;
            case JsonValueKind.False:
                facts.Add(new("false", schema, schema));
                return;
            case not JsonValueKind.Object:
                throw schema.Wrong($"a schema is an object, true or false, not {JsonText.Show(schema.Json)}");
        }

        foreach (var (keyword, value) in schema.Pairs())
        {
            switch (keyword)
            {
                case "$ref":
                    Collect(Target(value), facts, visited);
                    break;
                case "allOf":
                    foreach (var part in List(value, keyword).Items())
                    {
                        Collect(part, facts, visited);
                    }

                    break;
                case var _ when Held.Contains(keyword):
                    facts.Add(new(keyword, value, schema));
                    break;
                case var _ when !IsNote(keyword) && !SaysNothing(keyword, value.Json):
                    throw schema.Wrong(Refused.Contains(keyword)
                        ? $"{keyword} is not supported: it cannot be held token by token"
                        : $"{keyword} is no known keyword of JSON Schema; take it out, or begin its name with x-");
            }
        }
    }

    private static SchemaPlace List(SchemaPlace value, string keyword) =>
        value.Json.ValueKind == JsonValueKind.Array ? value : throw value.Wrong($"{keyword} must be a list of schemas");

    /// <summary>Values with which a refused keyword asks for nothing.</summary>
    private static bool SaysNothing(string keyword, JsonElement value) => keyword switch
    {
        "uniqueItems" or "nullable" => value.ValueKind == JsonValueKind.False,
        "minProperties" => value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0,
        "unevaluatedProperties" or "unevaluatedItems" or "additionalItems" => value.ValueKind == JsonValueKind.True,
        _ => false,
    };

    private SchemaPlace Target(SchemaPlace reference)
    {
        if (reference.Json.ValueKind != JsonValueKind.String || reference.Json.GetString() is not ['#', ..] text || text.Length > 1 && text[1] != '/')
        {
            throw reference.Wrong($"$ref {JsonText.Show(reference.Json)} is not supported: it must point into this schema (#/...)");
        }

        var target = new SchemaPlace(root, "#");
        foreach (var part in text.Split('/').Skip(1))
        {
            var key = Uri.UnescapeDataString(part).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (target.Json.ValueKind == JsonValueKind.Object && target.Json.TryGetProperty(key, out _))
            {
                target = target.At(key);
            }
            else if (target.Json.ValueKind == JsonValueKind.Array && int.TryParse(key, out var index) && index >= 0 && index < target.Json.GetArrayLength())
            {
                target = target.Items().ElementAt(index);
            }
            else
            {
                throw reference.Wrong($"$ref {text} leads nowhere");
            }
        }

        return target;
    }
}
