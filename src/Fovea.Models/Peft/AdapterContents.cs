using System.Globalization;
using System.Text.RegularExpressions;
using Fovea.Files.Safetensors;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Models.Peft;

/// <summary>What an adapter's file means for a model: checked before anything is changed.</summary>
/// <param name="Targets">Paths of the linears and of the experts' weights that it adapts.</param>
/// <param name="Experts">The latter, and how they are called.</param>
/// <param name="Whole">Weights of the base that it replaces.</param>
/// <param name="Rows">Tables of which it replaces single rows, with their ids.</param>
internal sealed record AdapterContents(
    IReadOnlySet<string> Targets, ExpertTargets Experts, IReadOnlyList<Parameter> Whole, IReadOnlyList<(Parameter Table, IReadOnlyList<int> Ids)> Rows)
{
    public const string Prefix = "base_model.model.";
    private const string A = ".lora_A.weight";
    private const string B = ".lora_B.weight";
    private const string Magnitude = ".lora_magnitude_vector";
    private const int Shown = 8;

    /// <summary>The ledger's spelling of a name in the adapter's file.</summary>
    public string Canonical(ModelFamily family, string name) => Canonical(family, Experts, name);

    private static string Canonical(ModelFamily family, ExpertTargets experts, string name)
    {
        var plain = name.Replace(".modules_to_save.default.", ".", StringComparison.Ordinal)
            .Replace(".lora_A.default.", ".lora_A.", StringComparison.Ordinal)
            .Replace(".lora_B.default.", ".lora_B.", StringComparison.Ordinal);
        var magnitude = plain.IndexOf(Magnitude + '.', StringComparison.Ordinal);
        plain = plain.EndsWith($"{TrainedRows.Name}.default", StringComparison.Ordinal) ? plain[..^".default".Length] : plain;
        plain = magnitude > 0 ? plain[..(magnitude + Magnitude.Length)] : plain;
        return experts.ToLedger(family.Names.ToLedger(plain.StartsWith(Prefix, StringComparison.Ordinal) ? plain[Prefix.Length..] : plain));
    }

    /// <exception cref="CheckpointException">Everything that is missing, left over or of another shape.</exception>
    public static AdapterContents Read(VisionLanguageModel model, ModelFamily family, PeftConfig config, Checkpoint checkpoint)
    {
        var experts = new ExpertTargets(model, config.TargetParameters);
        var adaptables = model.Ledger.Adaptables.ToDictionary(adaptable => adaptable.Path, StringComparer.Ordinal);
        var pieces = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        var whole = new List<Parameter>();
        var rows = new List<(Parameter Table, IReadOnlyList<int> Ids)>();
        var (unknown, misshapen) = (new List<string>(), new List<string>());
        foreach (var (name, entry) in checkpoint.Tensors)
        {
            var canonical = Canonical(family, experts, name);
            var path = Owner(canonical);
            long[] expected;
            if (path is not null && adaptables.TryGetValue(path, out var target) && (config.Lora.Decomposed || !IsMagnitude(canonical)))
            {
                var shapes = config.Lora.For(path, model.Names.ToModule(path)).ShapesFor(target);
                expected = IsMagnitude(canonical) ? [target.Outputs] : canonical.EndsWith(A, StringComparison.Ordinal) ? shapes.A : shapes.B;
                pieces.TryAdd(path, []);
                pieces[path].Add(canonical[path.Length..]);
            }
            else if (TableOf(model, config, canonical) is { } table)
            {
                rows.Add(table);
                expected = [table.Ids.Count, table.Table.Shape[1]];
            }
            else if (path is null && model.Ledger.Contains(canonical))
            {
                whole.Add(model.Ledger[canonical]);
                expected = whole[^1].Shape;
            }
            else
            {
                unknown.Add(name);
                continue;
            }

            if (!entry.Shape.AsSpan().SequenceEqual(expected))
            {
                misshapen.Add($"{name}: expected [{string.Join(", ", expected)}], found [{string.Join(", ", entry.Shape)}]");
            }
        }

        var targeted = Targeted(model, config, pieces.Keys.Except(experts.Paths).ToHashSet(StringComparer.Ordinal));
        targeted.UnionWith(experts.Paths);
        var problems = new List<string>();
        Report(problems, "are no part of this model", unknown);
        Report(problems, "have another shape than r and the model say", misshapen);
        Report(problems, "are missing", [.. Missing(targeted, pieces, config.Lora.Decomposed ? [A, B, Magnitude] : [A, B])]);
        Report(problems, "of trainable_token_indices are missing", [.. config.TokenIndices.Keys.Where(name => !rows.Exists(row => IsOf(row.Table, name)))]);
        var beyond = rows.Where(row => row.Ids.Any(id => id >= row.Table.Shape[0])).Select(row => row.Table.Name).ToList();
        Report(problems, "have rows for ids beyond the model's vocabulary", beyond);
        Report(problems, "belong to linears that target_modules does not name", [.. pieces.Keys.Where(path => !targeted.Contains(path))]);
        if (pieces.Count == 0)
        {
            problems.Add("it holds no lora_A and lora_B at all");
        }

        return problems.Count == 0
            ? new AdapterContents(targeted, experts, whole, rows)
            : throw new CheckpointException($"{checkpoint.Path} does not fit the model.\n  {string.Join("\n  ", problems)}");
    }

    /// <summary>The table of which a tensor holds rows, and which; null for other tensors.</summary>
    private static (Parameter Table, IReadOnlyList<int> Ids)? TableOf(VisionLanguageModel model, PeftConfig config, string name)
    {
        if (!name.EndsWith($".{TrainedRows.Name}", StringComparison.Ordinal) || $"{name[..^(TrainedRows.Name.Length + 1)]}.weight" is var weight
            && !model.Ledger.Contains(weight))
        {
            return null;
        }

        var table = model.Ledger[$"{name[..^(TrainedRows.Name.Length + 1)]}.weight"];
        return config.TokenIndices.FirstOrDefault(pair => IsOf(table, pair.Key)).Value is { } ids ? (table, ids) : null;
    }

    /// <summary>Whether a table is the one that a key of <see cref="PeftConfig.TokenIndices"/> means.</summary>
    internal static bool IsOf(Parameter table, string module) => $".{table.Name}".EndsWith($".{module}.weight", StringComparison.Ordinal);

    /// <summary>The path of what a tensor of an adapter belongs to; null for others.</summary>
    private static string? Owner(string name) => IsMagnitude(name) ? name[..^Magnitude.Length]
        : name.EndsWith(A, StringComparison.Ordinal) || name.EndsWith(B, StringComparison.Ordinal) ? name[..^A.Length]
        : null;

    private static bool IsMagnitude(string name) => name.EndsWith(Magnitude, StringComparison.Ordinal);

    /// <summary>The linears that the configuration means. An expression was made for the names of its time, so both spellings are tried.</summary>
    /// <param name="stored">The linears that the adapter's file holds.</param>
    internal static HashSet<string> Targeted(VisionLanguageModel model, PeftConfig config, HashSet<string> stored)
    {
        var excluded = LoraTargets.Excluder(model, config.ExcludePattern, config.ExcludeModules);
        HashSet<string> Where(Func<Linear, bool> matches) =>
            model.Ledger.Linears.Where(linear => matches(linear) && !excluded(linear)).Select(linear => linear.Path).ToHashSet(StringComparer.Ordinal);

        if (config.TargetPattern is { } pattern)
        {
            var matches = LoraTargets.Compile(pattern);
            var today = Where(linear => matches(model.Names.ToModule(linear.Path)));
            var hub = Where(linear => matches(linear.Path));
            return stored.SetEquals(hub) || today.Count == 0 ? hub : today;
        }

        return config.TargetModules is { } names
            ? Where(linear => LoraTargets.Named(model, linear, names) && InLayers(config, model.Names.ToModule(linear.Path)))
            : stored;
    }

    /// <summary>PEFT's rule for <c>layers_to_transform</c>: the last number between dots, after a name that <c>layers_pattern</c> matches.</summary>
    private static bool InLayers(PeftConfig config, string module)
    {
        if (config.Layers.Count == 0)
        {
            return true;
        }

        var found = (config.LayersPattern.Count == 0 ? ["[^.]*"] : config.LayersPattern)
            .Select(name => Regex.Match(module, $@"^.*\.(?:{name})\.(\d+)\.", RegexOptions.CultureInvariant)).FirstOrDefault(match => match.Success);
        return found is not null && long.TryParse(found.Groups[^1].ValueSpan, CultureInfo.InvariantCulture, out var layer) && config.Layers.Contains(layer);
    }

    private static IEnumerable<string> Missing(HashSet<string> targeted, Dictionary<string, HashSet<string>> pieces, string[] wanted) =>
        targeted.Union(pieces.Keys)
            .SelectMany(path => wanted.Where(piece => pieces.GetValueOrDefault(path)?.Contains(piece) != true).Select(piece => path + piece));

    private static void Report(List<string> problems, string what, List<string> names)
    {
        if (names.Count > 0)
        {
            problems.Add($"{names.Count} tensors {what}: {string.Join("; ", names.Take(Shown))}{(names.Count > Shown ? "; ..." : string.Empty)}");
        }
    }
}
