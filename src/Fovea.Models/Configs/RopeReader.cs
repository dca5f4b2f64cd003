namespace Fovea.Models.Configs;

/// <summary>
/// Reads rotary embeddings in the spelling of Transformers 4 (<c>rope_theta</c> and <c>rope_scaling</c>) or 5 (<c>rope_parameters</c>, with the theta in
/// it, for all layers or by kind of layer). What a kind does not read, or what is said twice in two ways, is refused.
/// </summary>
internal static class RopeReader
{
    /// <summary>The fields of a config.json that it reads.</summary>
    public const string Fields = "rope_theta rope_scaling rope_parameters original_max_position_embeddings";

    private const string Layers = "full_attention";
    private static readonly string[] Objects = ["rope_scaling", "rope_parameters"];

    // What may stand in the object, by kind; mrope_section is the family's own and means something with each.
    private static readonly Dictionary<RopeKind, string[]> Reads = new()
    {
        [RopeKind.Default] = [],
        [RopeKind.Linear] = ["factor"],
        [RopeKind.Yarn] =
            ["factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"],
        [RopeKind.LongRope] = ["short_factor", "long_factor", "factor", "original_max_position_embeddings", "attention_factor"],
    };

    /// <param name="json">The language model's object.</param>
    /// <param name="usualTheta">Where none is given.</param>
    /// <param name="positions">max_position_embeddings.</param>
    /// <param name="kinds">What the family computes.</param>
    /// <param name="others">More fields of the object that the family itself reads.</param>
    public static RopeSettings Read(ConfigReader json, double usualTheta, int positions, RopeKind[] kinds, params string[] others)
    {
        var given = Objects.Where(json.Has).Select(name => Read(json, name, usualTheta, positions, kinds, others)).ToList();
        if (given.Count == 2 && Text(given[0]) != Text(given[1]))
        {
            throw json.Wrong("rope_scaling", "the same as rope_parameters, or one of the two must go: they are two spellings of one thing");
        }

        return given.Count > 0 ? given[0] : new RopeSettings { Theta = json.Double("rope_theta", usualTheta) };
    }

    /// <summary>The object that says more than a theta, in either spelling; null where there is none.</summary>
    public static ConfigReader? Section(ConfigReader json) => Objects.Where(json.Has).Select(name => Section(json, name)).FirstOrDefault();

    /// <summary>Everything of it as one text, for comparing.</summary>
    public static string Text(RopeSettings rope) => $"{rope with { Short = [], Long = [] }} {string.Join(' ', rope.Short)} {string.Join(' ', rope.Long)}";

    private static ConfigReader Section(ConfigReader json, string name)
    {
        var section = json.Section(name) ?? throw json.Wrong(name, "an object");
        return section.Section(Layers) ?? section; // every layer here is one of full attention
    }

    private static RopeSettings Read(ConfigReader json, string name, double usualTheta, int positions, RopeKind[] kinds, string[] others)
    {
        var section = Section(json, name);
        var kind = KindOf(section, kinds);

        // An original length changes nothing by itself, and files keep it when their rope_type is set back.
        string[] known = [.. Reads[kind], .. others, "type", "rope_type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"];
        if (section.Names.FirstOrDefault(field => !known.Contains(field)) is { } stray)
        {
            var readers = string.Join(" and ", kinds.Where(k => Reads[k].Contains(stray)).Select(Spelling));
            throw section.Refused(stray, readers.Length > 0
                ? $"it belongs to {readers}, and the rope_type is {Spelling(kind)}: remove it or set the rope_type"
                : "nothing reads it: remove it if it is meant for another model");
        }

        if (!others.Contains("partial_rotary_factor") && section.Double("partial_rotary_factor", 1) != 1)
        {
            throw section.Wrong("partial_rotary_factor", "1 (every dimension is turned)");
        }

        var rope = new RopeSettings { Kind = kind, Theta = Theta(json, section, usualTheta) };
        return kind switch
        {
            RopeKind.Linear => rope with { Factor = Factor(section, section.Double("factor")) },
            RopeKind.Yarn => Yarn(json, section, positions, rope),
            RopeKind.LongRope => LongRope(json, section, positions, rope),
            _ => rope,
        };
    }

    private static RopeKind KindOf(ConfigReader section, RopeKind[] kinds)
    {
        string[] keys = [.. new[] { "rope_type", "type" }.Where(section.Has)];
        var found = Array.ConvertAll(keys, key => section.Text(key) switch
        {
            "default" or "mrope" => RopeKind.Default,
            "linear" => RopeKind.Linear,
            "yarn" => RopeKind.Yarn,
            "longrope" or "su" => RopeKind.LongRope,
            "dynamic" => throw section.Wrong(key, $"{Spellings(kinds)}; dynamic goes by the longest sequence computed so far, and up to "
                + "max_position_embeddings it is the same as default"),
            _ => Unknown(key),
        });
        foreach (var (key, kind) in keys.Zip(found).Where(pair => !kinds.Contains(pair.Second)))
        {
            return Unknown(key);
        }

        return found.Length == 2 && found[0] != found[1]
            ? throw section.Wrong("type", $"what rope_type says ({section.Text("rope_type")}), or be left out")
            : found.FirstOrDefault();

        RopeKind Unknown(string key) => throw section.Wrong(key, $"{Spellings(kinds)}; others are not computed for this model");
    }

    /// <summary>Transformers 5 keeps it in the object, 4 beside it.</summary>
    private static double Theta(ConfigReader json, ConfigReader section, double usual)
    {
        var theta = section.Has("rope_theta") ? section.Double("rope_theta") : json.Double("rope_theta", usual);
        return !json.Has("rope_theta") || json.Double("rope_theta") == theta
            ? theta
            : throw section.Wrong("rope_theta", $"{json.PathOf("rope_theta")}, which is {json.Double("rope_theta")}, or one of the two must go");
    }

    private static RopeSettings Yarn(ConfigReader json, ConfigReader section, int positions, RopeSettings rope)
    {
        var original = Original(json, section, positions);
        var factor = Factor(section, section.Has("factor") ? section.Double("factor") : (double)positions / original);
        var (scale, all) = (section.Double("mscale", 0), section.Double("mscale_all_dim", 0));
        var settings = rope with
        {
            Factor = factor,
            OriginalPositions = original,
            BetaFast = section.Double("beta_fast", 32),
            BetaSlow = section.Double("beta_slow", 1),
            Truncate = section.Bool("truncate", true),
            Scale = section.Has("attention_factor") ? section.Double("attention_factor")
                : scale != 0 && all != 0 ? Attention(factor, scale) / Attention(factor, all)
                : Attention(factor, 1),
        };
        return settings.BetaSlow > 0 && settings.BetaFast >= settings.BetaSlow
            ? settings
            : throw section.Wrong("beta_fast", $"at least beta_slow ({settings.BetaSlow}), and both above 0");
    }

    private static double Attention(double factor, double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;

    private static RopeSettings LongRope(ConfigReader json, ConfigReader section, int positions, RopeSettings rope)
    {
        var original = Original(json, section, positions);
        var factor = section.Has("factor") ? section.Double("factor") : (double)positions / original;
        return rope with
        {
            Factor = factor,
            OriginalPositions = original,
            Short = section.Doubles("short_factor", []),
            Long = section.Doubles("long_factor", []),
            Scale = section.Has("attention_factor") ? section.Double("attention_factor")
                : factor <= 1 ? 1
                : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original))),
        };
    }

    /// <summary>Some files have it in the object, others beside it.</summary>
    private static int Original(ConfigReader json, ConfigReader section, int positions)
    {
        const string name = "original_max_position_embeddings";
        var original = section.Has(name) ? section.Int(name) : json.Int(name, positions);
        return original < 1 ? throw section.Wrong(name, "above 0")
            : json.Has(name) && json.Int(name) != original ? throw section.Wrong(name, $"{json.PathOf(name)}, which is {json.Int(name)}, or one must go")
            : original;
    }

    private static double Factor(ConfigReader section, double factor) => factor >= 1 ? factor : throw section.Wrong("factor", "at least 1");

    private static string Spelling(RopeKind kind) => kind.ToString().ToLowerInvariant();

    private static string Spellings(RopeKind[] kinds) => string.Join(", ", kinds.Select(Spelling));
}
