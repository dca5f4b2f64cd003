using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>What facts say of an object: its properties in order, and which of them must be there.</summary>
internal sealed class SchemaObject
{
    private readonly Dictionary<string, List<SchemaPlace>> schemas = new(StringComparer.Ordinal);
    private readonly List<string> names = [];
    private readonly HashSet<string> required = new(StringComparer.Ordinal);

    /// <exception cref="ConfigException">A keyword is malformed, or several schemas that are merged disagree on which other properties there may be.</exception>
    public SchemaObject(IReadOnlyCollection<SchemaFact> facts)
    {
        foreach (var fact in facts)
        {
            switch (fact.Keyword)
            {
                case "properties":
                    foreach (var (name, schema) in Object(fact).Pairs())
                    {
                        Add(name, schema);
                    }

                    break;
                case "required":
                    required.UnionWith(Texts(fact));
                    break;
                case "additionalProperties" when fact.Value.Json.ValueKind != JsonValueKind.True:
                    Others = Others is null ? fact.Value : throw fact.Scope.Wrong("additionalProperties of several schemas cannot be merged");
                    OthersBeside(facts, fact);
                    break;
            }
        }

        foreach (var name in required.Where(name => !schemas.ContainsKey(name)).Order(StringComparer.Ordinal))
        {
            names.Add(name);
            schemas[name] = Others is { } others ? [others] : [];
        }
    }

    /// <summary>Properties in the order of the schema; at the end those that are required and nothing else is said of.</summary>
    public IReadOnlyList<string> Names => names;

    public IReadOnlySet<string> Required => required;

    /// <summary>The schema of all other properties; null where they may be anything.</summary>
    public SchemaPlace? Others { get; private set; }

    public IReadOnlyList<SchemaPlace> Of(string name) => schemas.GetValueOrDefault(name) ?? [];

    public bool Forbids(string name) => !schemas.ContainsKey(name) && Others is { Json.ValueKind: JsonValueKind.False };

    private static SchemaPlace Object(SchemaFact fact) =>
        fact.Value.Json.ValueKind == JsonValueKind.Object ? fact.Value : throw fact.Scope.Wrong($"{fact.Keyword} must be an object");

    private static IEnumerable<string> Texts(SchemaFact fact) =>
        fact.Value.Json.ValueKind == JsonValueKind.Array && fact.Value.Json.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String)
            ? fact.Value.Json.EnumerateArray().Select(name => name.GetString()!)
            : throw fact.Scope.Wrong("required must be a list of names");

    /// <summary>The keyword means all properties that its own schema does not name.</summary>
    private static void OthersBeside(IReadOnlyCollection<SchemaFact> facts, SchemaFact fact)
    {
        var own = facts.FirstOrDefault(other => other.Keyword == "properties" && other.Scope.Path == fact.Scope.Path);
        foreach (var other in facts.Where(other => other.Keyword == "properties" && other != own))
        {
            foreach (var (name, _) in Object(other).Pairs())
            {
                if (own is null || !own.Value.Json.TryGetProperty(name, out _))
                {
                    throw fact.Scope.Wrong($"additionalProperties is not supported beside {other.Value.Path}, whose {name} it would mean too: "
                        + "name all properties in one schema");
                }
            }
        }
    }

    private void Add(string name, SchemaPlace schema)
    {
        if (!schemas.TryGetValue(name, out var own))
        {
            names.Add(name);
            schemas[name] = own = [];
        }

        own.Add(schema);
    }
}
