using System.Globalization;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>The keys that shape a fresh adapter: one that training goes on with stays as its own adapter_config.json says.</summary>
internal static class AdapterKeys
{
    private const int MostNamed = 8;

    // Which linears there are is decided by all of them together.
    private static readonly string[] Choice =
        ["lora_target", "exclude_modules", "freeze_vision_tower", "freeze_multi_modal_projector", "freeze_language_model"];

    private static readonly string[] Beginning = ["init_weights", "pissa_init", "pissa_iter"];

    private static readonly IReadOnlyDictionary<string, string> Standard = new TrainConfig().ToDictionary();

    /// <summary>All of them.</summary>
    public static IReadOnlySet<string> All { get; } = new HashSet<string>(
        [
            "lora_rank", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_target_parameters",
            .. Choice, .. Beginning,
        ],
        StringComparer.Ordinal);

    /// <summary>One sentence for all keys that were written and say something else than the adapter that training goes on with; null for none.</summary>
    /// <param name="model">With the adapter attached.</param>
    /// <param name="adapter">Its adapter_config.json.</param>
    public static string? Notice(TrainConfig config, VisionLanguageModel model, ModelFamily family, PeftConfig adapter, string folder)
    {
        var values = config.ToDictionary();
        var told = Differences(config, model, family, adapter)
            .Select(difference => (Keys: difference.Keys.Where(config.Written.Contains).ToList(), difference.Own))
            .Where(difference => difference.Keys.Count > 0)
            .Select(difference => $"{string.Join(", ", difference.Keys.Select(key => $"{key}: {values[key]}"))} (the adapter's: {difference.Own})").ToList();
        return told.Count == 0 ? null : $"training goes on with {folder} as it is, so these keys of the configuration are ignored: {string.Join("; ", told)}; "
            + "create_new_adapter: true merges it into the base and begins another over it";
    }

    private static IEnumerable<(string[] Keys, string Own)> Differences(TrainConfig config, VisionLanguageModel model, ModelFamily family, PeftConfig adapter)
    {
        var (tuning, own) = (config.Tuning, adapter.Lora);
        if (tuning.LoraRank != own.Rank)
        {
            yield return (["lora_rank"], own.Rank.ToString(CultureInfo.InvariantCulture));
        }

        if (tuning.EffectiveLoraAlpha != own.Alpha)
        {
            yield return (["lora_alpha"], own.Alpha.ToString(CultureInfo.InvariantCulture));
        }

        if (!tuning.RankPattern.SequenceEqual(own.RankPattern))
        {
            yield return (["rank_pattern"], Text(own.RankPattern));
        }

        if (!tuning.AlphaPattern.SequenceEqual(own.AlphaPattern))
        {
            yield return (["alpha_pattern"], Text(own.AlphaPattern));
        }

        if (tuning.UseRslora != own.RankStabilized)
        {
            yield return (["use_rslora"], own.RankStabilized ? "true" : "false");
        }

        if (tuning.UseDora != own.Decomposed)
        {
            yield return (["use_dora"], own.Decomposed ? "true" : "false");
        }

        if (tuning.Start != own.Start)
        {
            yield return ([.. Beginning.Where(key => key != "pissa_iter" || tuning.PissaInit)], $"init_lora_weights {own.Start.Name}");
        }

        var adapted = model.Ledger.Linears.Where(linear => linear.Lora is not null).Select(linear => linear.Path).ToList();
        if (!adapted.ToHashSet(StringComparer.Ordinal).SetEquals(Chosen(tuning, model, family)))
        {
            var values = config.ToDictionary();
            yield return ([.. Choice.Where(key => key == Choice[0] || values[key] != Standard[key])], Names(adapted));
        }

        var experts = new ExpertTargets(model, adapter.TargetParameters).Paths;
        if (!experts.ToHashSet(StringComparer.Ordinal).SetEquals(new ExpertTargets(model, tuning.LoraTargetParameters).Paths))
        {
            yield return (["lora_target_parameters"], adapter.TargetParameters.Count == 0 ? "none" : string.Join(", ", adapter.TargetParameters));
        }
    }

    /// <summary>What a fresh adapter would lie on; nothing where the keys name what the model does not have.</summary>
    private static IReadOnlyList<string> Chosen(TuningSection tuning, VisionLanguageModel model, ModelFamily family)
    {
        try
        {
            return LoraTargets.Choose(
                model, family, tuning.LoraTarget, tuning.FreezeVisionTower, tuning.FreezeMultiModalProjector, tuning.FreezeLanguageModel,
                tuning.ExcludeModules).Paths;
        }
        catch (ConfigException)
        {
            return [];
        }
    }

    private static string Names(List<string> paths)
    {
        var last = paths.Select(path => path.Split('.')[^1]).Distinct().ToList();
        return $"{paths.Count} linears, {string.Join(", ", last.Take(MostNamed))}{(last.Count > MostNamed ? ", ..." : string.Empty)}";
    }

    private static string Text(IReadOnlyDictionary<string, double> map) =>
        map.Count == 0 ? "none" : string.Join(", ", map.Select(pair => FormattableString.Invariant($"{pair.Key}: {pair.Value}")));
}
