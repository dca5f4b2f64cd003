using Fovea.Nn;

namespace Fovea.Models.Peft;

/// <summary>
/// The experts' weights that PEFT's <c>target_parameters</c> mean, and how their adapters are called in its files. It wraps the module that holds a weight once
/// for each weight in it, so that the adapter of the last is the outermost and those before it lie ever deeper: <c>experts.base_layer.lora_A</c>.
/// </summary>
internal sealed class ExpertTargets
{
    private const string Half = ".lora_";
    private readonly Dictionary<string, string> toFile = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> toLedger = new(StringComparer.Ordinal);

    /// <param name="parameters">As PEFT takes them: whole paths of weights, or their last parts.</param>
    public ExpertTargets(VisionLanguageModel model, IReadOnlyList<string> parameters)
    {
        var chosen = Of(model).Where(weight => parameters.Any(name => Matches(model, weight, name)));
        foreach (var module in chosen.GroupBy(weight => weight.Module))
        {
            var inner = string.Empty;
            foreach (var weight in module.Reverse())
            {
                toFile.Add(weight.Path, model.Names.ToModule(weight.Module) + inner);
                toLedger.Add(weight.Module + inner, weight.Path);
                inner += ".base_layer";
            }
        }
    }

    /// <summary>In the ledger's spelling.</summary>
    public IReadOnlyCollection<string> Paths => toFile.Keys;

    /// <summary>Those that a configuration asks for.</summary>
    /// <param name="key">The configuration's, for errors.</param>
    /// <exception cref="ConfigException">A name matches nothing, or its part of the model is frozen.</exception>
    public static ExpertTargets Choose(VisionLanguageModel model, IReadOnlyList<string> parameters, string key, bool frozen)
    {
        var known = Of(model).ToList();
        var names = string.Join(", ", known.Select(weight => string.Join('.', weight.Path.Split('.')[^3..])).Distinct());
        List<string> problems =
        [
            .. parameters.Where(name => !known.Any(weight => Matches(model, weight, name))).Select(name => known.Count == 0
                ? $"{key}: {name} matches nothing: this model has no experts, and linears are named in lora_target"
                : $"{key}: {name} matches no weight of experts; there are {names}"),
        ];
        if (frozen && parameters.Count > 0)
        {
            problems.Add($"{key}: the experts belong to the language model, which is frozen; see freeze_language_model");
        }

        return problems.Count == 0 ? new ExpertTargets(model, parameters) : throw new ConfigException(problems);
    }

    /// <summary>How PEFT's file calls a matrix of an adapter, in the module tree; any other name as it is there.</summary>
    public string ToFile(VisionLanguageModel model, string name) => Turn(name, toFile) ?? model.Names.ToModule(name);

    /// <summary>The ledger's spelling of a name in PEFT's file, where that is in the ledger's otherwise.</summary>
    public string ToLedger(string name) => Turn(name, toLedger) ?? name;

    private static IEnumerable<ExpertLinears> Of(VisionLanguageModel model) => model.Ledger.Adaptables.OfType<ExpertLinears>();

    private static bool Matches(VisionLanguageModel model, ExpertLinears weight, string name) =>
        new[] { weight.Path, model.Names.ToModule(weight.Path) }.Any(path => path == name || path.EndsWith($".{name}", StringComparison.Ordinal));

    private static string? Turn(string name, Dictionary<string, string> names)
    {
        var at = name.IndexOf(Half, StringComparison.Ordinal);
        return at > 0 && names.TryGetValue(name[..at], out var other) ? other + name[at..] : null;
    }
}
