using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>
/// Builds the automaton of a JSON schema. Every schema is a rule of its own, which is what lets schemas refer to themselves; several that a value must satisfy
/// together are one rule, merged keyword by keyword.
/// </summary>
internal sealed class SchemaCompiler
{
    private const int MostDepth = 24;

    private readonly AutomatonBuilder builder;
    private readonly JsonGrammar grammar;
    private readonly SchemaReader reader;
    private readonly SchemaChoices choices;
    private readonly SchemaPlace root;
    private readonly Dictionary<string, int> rules = new(StringComparer.Ordinal);
    private readonly Queue<(int Rule, List<SchemaPlace> Schemas)> open = [];

    public SchemaCompiler(AutomatonBuilder builder, JsonElement schema)
    {
        this.builder = builder;
        root = new SchemaPlace(schema, "#");
        grammar = new JsonGrammar(builder);
        reader = new SchemaReader(schema);
        choices = new SchemaChoices(reader, builder.ThrowIfCancelled);
    }

    /// <summary>The rule of the whole schema.</summary>
    /// <exception cref="ConfigException">The schema is malformed or holds what is not supported; names keyword and place.</exception>
    public int Compile()
    {
        var rule = RuleOf([root]);
        while (open.TryDequeue(out var next))
        {
            builder.Define(next.Rule, Alternatives([.. next.Schemas.SelectMany(reader.Facts)], 0));
        }

        return rule;
    }

    private Fragment Value(params IEnumerable<SchemaPlace> schemas) => builder.Call(RuleOf(schemas));

    private int RuleOf(IEnumerable<SchemaPlace> schemas)
    {
        var named = schemas.Select(reader.Named).DistinctBy(schema => schema.Path).ToList();
        var key = string.Join(' ', named.Select(schema => schema.Path).Order(StringComparer.Ordinal));
        if (!rules.TryGetValue(key, out var rule))
        {
            rules[key] = rule = builder.NewRule($"the JSON schema at {key}");
            open.Enqueue((rule, named));
        }

        return rule;
    }

    /// <summary>Choices are multiplied out: each branch must hold together with all else.</summary>
    private Fragment Alternatives(List<SchemaFact> facts, int depth)
    {
        facts = [.. facts.DistinctBy(fact => (fact.Keyword, fact.Value.Path))];
        var choice = facts.Find(fact => fact.Keyword is "anyOf" or "oneOf");
        if (choice is null)
        {
            return Plain(facts);
        }

        if (choice.Value.Json.ValueKind != JsonValueKind.Array || choice.Value.Json.GetArrayLength() == 0 || depth > MostDepth)
        {
            throw choice.Scope.Wrong(depth > MostDepth ? $"{choice.Keyword} is nested too deep in others" : $"{choice.Keyword} must be a list of schemas");
        }

        if (choice.Keyword == "oneOf")
        {
            choices.RequireApart(choice.Value);
        }

        List<SchemaFact> rest = [.. facts.Where(fact => fact != choice)];
        return builder.Choice([.. choice.Value.Items().Select(branch =>
            rest.Count == 0 ? Value(branch) : Alternatives([.. rest, .. reader.Facts(branch)], depth + 1))]);
    }

    private Fragment Plain(List<SchemaFact> facts)
    {
        if (facts.Exists(fact => fact.Keyword == "false"))
        {
            return builder.Choice();
        }

        if (facts.Count == 0)
        {
            return grammar.Any();
        }

        if (SchemaValues.Of(facts) is { } values)
        {
            return facts.Find(fact => fact.Keyword is not ("enum" or "const" or "type")) is { } beside
                ? throw beside.Scope.Wrong($"{beside.Keyword} is not supported beside enum or const: leave out the values that it rules out")
                : builder.Choice([.. values.Select(grammar.Literal)]);
        }

        return builder.Choice([.. SchemaTypes.Of(facts).Select(type => type switch
        {
            "object" => Object(new SchemaObject(facts)),
            "array" => Array(facts),
            "string" => String(facts),
            "number" => SchemaNumbers.Number(facts) is { } range ? grammar.Bare(range) : grammar.Number(),
            "integer" => SchemaNumbers.Integer(facts) is { } range ? Ranged(range) : grammar.Integer(),
            "boolean" => builder.Choice(builder.Text("true"u8), builder.Text("false"u8)),
            _ => builder.Text("null"u8),
        })]);
    }

    private Fragment Ranged(string range) => range.Length == 0 ? builder.Choice() : grammar.Bare(range);

    private Fragment String(List<SchemaFact> facts)
    {
        var content = facts.Where(fact => fact.Keyword is "pattern" or "format").ToList();
        var (least, most) = (Count(facts, "minLength", false) ?? 0, Count(facts, "maxLength", true));
        if (content.Count == 0)
        {
            return most < least ? builder.Choice() : grammar.String(least, most);
        }

        if (content.Count > 1 || least > 0 || most is not null)
        {
            throw content[0].Scope.Wrong($"{content[0].Keyword} is not supported beside "
                + $"{(content.Count > 1 ? content[1].Keyword : "minLength or maxLength")}: say all of it in one pattern");
        }

        var (keyword, value) = (content[0].Keyword, content[0].Value);
        if (value.Json.ValueKind != JsonValueKind.String)
        {
            throw content[0].Scope.Wrong($"{keyword} must be text");
        }

        var text = value.Json.GetString()!;
        return grammar.String(keyword == "pattern"
            ? RegexParser.Search(text, $"the JSON schema at {value.Path}:")
            : RegexParser.Whole(SchemaFormats.Find(text) ?? throw Unknown(content[0], text), "format"));
    }

    private static ConfigException Unknown(SchemaFact fact, string format) =>
        fact.Scope.Wrong($"format {format} is not supported ({string.Join(", ", SchemaFormats.Names)} are); use pattern");

    private static int? Count(List<SchemaFact> facts, string keyword, bool smallest)
    {
        int? count = null;
        foreach (var fact in facts.Where(fact => fact.Keyword == keyword))
        {
            var own = JsonText.Whole(fact.Value.Json) is >= 0 and <= int.MaxValue and { } number
                ? (int)number
                : throw fact.Scope.Wrong($"{keyword} must be a whole number of at least 0, not {JsonText.Show(fact.Value.Json)}");
            count = count is null ? own : smallest ? Math.Min(count.Value, own) : Math.Max(count.Value, own);
        }

        return count;
    }

    private Fragment Array(List<SchemaFact> facts)
    {
        var (least, most) = (Count(facts, "minItems", false) ?? 0, Count(facts, "maxItems", true));
        var prefix = One(facts, "prefixItems") is { } listed
            ? listed.Json.ValueKind == JsonValueKind.Array ? listed.Items().ToList() : throw listed.Wrong("prefixItems must be a list of schemas")
            : [];
        var others = One(facts, "items");
        if (others is { Json.ValueKind: JsonValueKind.Array } old)
        {
            throw old.Wrong("a list of schemas is prefixItems since draft 2020-12");
        }

        most = others is { Json.ValueKind: JsonValueKind.False } ? Math.Min(most ?? prefix.Count, prefix.Count) : most;
        var (start, close, end) = (builder.NewState(), builder.NewState(), builder.NewState());
        var at = builder.NewState();
        builder.Bytes(start, '[', '[', at);
        builder.Bytes(close, ']', ']', end);
        var counted = most ?? Math.Max(1, Math.Max(least, prefix.Count));
        for (var i = 0; i < counted; i++)
        {
            if (i >= least)
            {
                builder.Skip(at, close);
            }

            at = Item(at, i > 0, i < prefix.Count ? prefix[i] : others);
        }

        if (counted >= least)
        {
            builder.Skip(at, close);
        }

        if (most is null)
        {
            builder.Skip(Item(at, true, others), at);
        }

        return new(start, end);
    }

    private int Item(int at, bool comma, SchemaPlace? schema)
    {
        var value = schema is { } known ? Value(known) : grammar.Any();
        var item = comma ? builder.Chain(grammar.Comma(), value) : value;
        builder.Skip(at, item.Start);
        return item.End;
    }

    private static SchemaPlace? One(List<SchemaFact> facts, string keyword)
    {
        var found = facts.Where(fact => fact.Keyword == keyword).ToList();
        return found.Count <= 1 ? found.FirstOrDefault()?.Value : throw found[1].Scope.Wrong($"{keyword} of several schemas cannot be merged");
    }

    /// <summary>Two rows of states, one before and one behind the first pair, which differ in the comma that comes before the next.</summary>
    private Fragment Object(SchemaObject shape)
    {
        var (start, close, end) = (builder.NewState(), builder.NewState(), builder.NewState());
        var (none, some) = (builder.NewState(), builder.NewState());
        builder.Bytes(start, '{', '{', none);
        builder.Bytes(close, '}', '}', end);
        foreach (var name in shape.Names)
        {
            var (nextNone, nextSome) = (builder.NewState(), builder.NewState());
            var schemas = shape.Of(name);
            Pair(none, some, nextSome, () => grammar.Key(name), () => schemas.Count > 0 ? Value(schemas) : grammar.Any());
            if (!shape.Required.Contains(name))
            {
                builder.Skip(none, nextNone);
                builder.Skip(some, nextSome);
            }

            (none, some) = (nextNone, nextSome);
        }

        if (shape.Others is not { Json.ValueKind: JsonValueKind.False })
        {
            var rule = builder.Rule(() => grammar.OtherKey(shape.Names.ToHashSet(StringComparer.Ordinal)));
            Pair(none, some, some, () => builder.Call(rule), () => shape.Others is { } others ? Value(others) : grammar.Any());
        }

        builder.Skip(none, close);
        builder.Skip(some, close);
        return new(start, end);
    }

    private void Pair(int none, int some, int next, Func<Fragment> key, Func<Fragment> value)
    {
        var pair = builder.Chain(key(), grammar.Colon(), value());
        builder.Skip(none, pair.Start);
        var comma = grammar.Comma();
        builder.Skip(some, comma.Start);
        builder.Skip(comma.End, pair.Start);
        builder.Skip(pair.End, next);
    }
}
