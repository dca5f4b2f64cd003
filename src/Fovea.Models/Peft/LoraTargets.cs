using System.Buffers;
using System.Text.RegularExpressions;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Models.Peft;

/// <summary>Which linears get an adapter, by LLaMA-Factory's rules for <c>lora_target</c> and the frozen parts.</summary>
internal sealed class LoraTargets
{
    /// <summary>What makes a name a pattern.</summary>
    internal static readonly SearchValues<char> PatternCharacters = SearchValues.Create(@"\^$*+?()[]{}|");
    private readonly HashSet<string> chosen;
    private readonly long width;

    private LoraTargets(VisionLanguageModel model, IReadOnlyList<Linear> linears, string? pattern)
    {
        Paths = [.. linears.Select(linear => linear.Path)];
        ModuleNames = [.. Paths.Select(model.Names.ToModule)];
        Pattern = pattern;
        chosen = Paths.ToHashSet(StringComparer.Ordinal);
        width = linears.Sum(linear => linear.Inputs + linear.Outputs);
    }

    /// <summary>The chosen linears in the ledger's spelling, in the model's order.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>The same as Transformers' module tree spells them: what goes into <c>target_modules</c>.</summary>
    public IReadOnlyList<string> ModuleNames { get; }

    /// <summary>The user's regular expression where it says exactly what was chosen; null otherwise.</summary>
    public string? Pattern { get; }

    /// <summary>Elements of the adapters for a rank.</summary>
    public long Parameters(int rank) => rank * width;

    /// <summary>For <see cref="Adapters.Attach"/>.</summary>
    public bool Matches(string path) => chosen.Contains(path);

    /// <param name="target"><c>all</c>; names of linears (their last parts, or whole paths); or one regular expression for the whole path.</param>
    /// <param name="exclude">Of those, which get none: names, or one regular expression for the whole path.</param>
    /// <exception cref="ConfigException">Something in <paramref name="target"/> matches no linear that may learn; names those that there are.</exception>
    public static LoraTargets Choose(
        VisionLanguageModel model,
        ModelFamily family,
        IReadOnlyList<string> target,
        bool freezeVisionTower = true,
        bool freezeProjector = true,
        bool freezeLanguageModel = false,
        IReadOnlyList<string>? exclude = null)
    {
        bool Frozen(Linear linear) => family.PartOf(linear.Path) switch
        {
            ModelPart.Vision => freezeVisionTower,
            ModelPart.Projector => freezeProjector,
            _ => freezeLanguageModel,
        };

        var linears = model.Ledger.Linears;
        var excluded = Excluder(model, exclude ?? []);
        if (target is ["all"])
        {
            var open = linears.Where(linear => !Frozen(linear)).ToList();
            return open.Count > 0 ? new LoraTargets(model, Rest(open), null) : throw Nothing("all", model, Frozen);
        }

        if (target is [var text] && text.AsSpan().ContainsAny(PatternCharacters))
        {
            var matches = Compile(text);
            var meant = linears.Where(linear => matches(model.Names.ToModule(linear.Path))).ToList();
            if (meant.Count == 0)
            {
                // An expression made for the hub's spelling.
                meant = [.. linears.Where(linear => matches(linear.Path))];
            }

            var open = meant.Where(linear => !Frozen(linear)).ToList();
            var sameInTree = !open.Any(excluded) && open.Count == linears.Count(linear => matches(model.Names.ToModule(linear.Path)));
            return open.Count > 0 ? new LoraTargets(model, Rest(open), sameInTree ? text : null) : throw Nothing(text, model, Frozen);
        }

        var problems = new List<string>();
        foreach (var name in target)
        {
            if (!linears.Any(linear => !Frozen(linear) && Named(model, linear, [name])))
            {
                problems.AddRange(Nothing(name, model, Frozen).Problems);
            }
        }

        return problems.Count == 0
            ? new LoraTargets(model, Rest([.. linears.Where(linear => !Frozen(linear) && Named(model, linear, target))]), null)
            : throw new ConfigException(problems);

        List<Linear> Rest(List<Linear> open) => open.TrueForAll(linear => excluded(linear))
            ? throw new ConfigException($"exclude_modules: {string.Join(", ", exclude ?? [])} leaves none of the linear layers that lora_target names")
            : open.FindAll(linear => !excluded(linear));
    }

    /// <summary>Which linears get no adapter, by PEFT's rule, in either spelling of their paths.</summary>
    internal static Func<Linear, bool> Excluder(VisionLanguageModel model, string? pattern, IReadOnlyList<string>? names)
    {
        if (pattern is null && names is null)
        {
            return _ => false;
        }

        var matches = pattern is null ? LoraOptions.Matcher(null, [.. names!]) : Compile(pattern);
        return linear => matches(linear.Path) || matches(model.Names.ToModule(linear.Path));
    }

    /// <exception cref="ConfigException">A name, or the expression, matches no linear of the model, or is malformed.</exception>
    private static Func<Linear, bool> Excluder(VisionLanguageModel model, IReadOnlyList<string> exclude)
    {
        var pattern = exclude is [var text] && text.AsSpan().ContainsAny(PatternCharacters) ? text : null;
        var nowhere = exclude
            .Where(name => !model.Ledger.Linears.Any(pattern is null ? Excluder(model, null, [name]) : Excluder(model, pattern, null))).ToList();
        return nowhere.Count > 0
            ? throw new ConfigException($"exclude_modules: {string.Join(", ", nowhere)} matches no linear layer of this model")
            : Excluder(model, pattern, pattern is null && exclude.Count > 0 ? exclude : null);
    }

    internal static bool Named(VisionLanguageModel model, Linear linear, IReadOnlyCollection<string> names)
    {
        var matches = LoraOptions.Matcher(null, names);
        return matches(linear.Path) || matches(model.Names.ToModule(linear.Path));
    }

    internal static Func<string, bool> Compile(string pattern)
    {
        try
        {
            return LoraOptions.Matcher(pattern, null);
        }
        catch (RegexParseException e)
        {
            throw new ConfigException($"the regular expression {pattern} for the linears to adapt is malformed: {e.Message}");
        }
    }

    private static ConfigException Nothing(string name, VisionLanguageModel model, Func<Linear, bool> frozen)
    {
        static string Names(IEnumerable<Linear> linears) =>
            string.Join(", ", linears.Select(linear => linear.Path.Split('.')[^1]).Distinct().Order(StringComparer.Ordinal));

        var open = Names(model.Ledger.Linears.Where(linear => !frozen(linear)));
        var closed = Names(model.Ledger.Linears.Where(frozen));
        const string keys = "freeze_vision_tower, freeze_multi_modal_projector, freeze_language_model";
        return new ConfigException($"lora_target: {name} matches no trainable linear layer; "
            + (open.Length > 0 ? $"there are {open}" : "every part is frozen")
            + (closed.Length > 0 ? $" (in frozen parts: {closed}; see {keys})" : string.Empty));
    }
}
