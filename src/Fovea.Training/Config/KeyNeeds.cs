using Fovea.Data.Sampling;

namespace Fovea.Training.Config;

/// <summary>The table of honoured keys that are only read beside another one: where that is missing, a notice says so.</summary>
internal static class KeyNeeds
{
    private static readonly IReadOnlyDictionary<string, string> Standard = new TrainConfig().ToDictionary();

    private static readonly KeyNeed[] Table =
    [
        // An export in 4 bits rounds by the same keys.
        new("quantization_type double_quantization quantization_method llm_int8_skip_modules", "with quantization_bit: 4 or export_quantization_bit: 4",
            config => config.Model.QuantizationBit is not null || config.Export.ExportQuantizationBit is not null) { Everywhere = true },
        new("buffer_size", "with streaming: true", config => config.Data.Streaming),
        new("mix_strategy", "with several datasets",
            config => config.Data.MixStrategy == MixStrategy.Concat || Mixes(config)),
        new("interleave_probs", "with several datasets", Mixes),
        new("eval_on_each_dataset", "with eval_dataset", config => config.Data.EvalDataset.Count > 0),
        new("lora_rank lora_alpha lora_dropout lora_target additional_target", "with finetuning_type: lora", IsLora),
        new(string.Join(' ', AdapterChecks.Shape),
            "for a new adapter, and the one of adapter_name_or_path goes on as it is (create_new_adapter: true begins another over it)",
            _ => true), // on the page alone: Session.AdapterKeys compares values, once the adapter is read
        new("create_new_adapter", "with adapter_name_or_path", config => config.Model.AdapterNameOrPath.Count > 0),
        new("pissa_iter", "with pissa_init: true", config => config.Tuning.PissaInit),
        new("freeze_trainable_layers freeze_trainable_modules freeze_extra_modules", "with finetuning_type: freeze",
            config => config.Tuning.FinetuningType == FinetuningType.Freeze),
        new("adam_beta1 adam_beta2", "with AdamW, Lion and Muon, not with SGD and Adafactor",
            config => config.Optimizer.Kind is not (OptimizerKind.Sgd or OptimizerKind.Adafactor)),
        new("adam_epsilon", "with AdamW and Muon, not with SGD, Adafactor and Lion",
            config => config.Optimizer.Kind is not (OptimizerKind.Sgd or OptimizerKind.Adafactor or OptimizerKind.Lion)),
        new("decay_norms", "with weight_decay, and not with Muon, which decays everything",
            config => config.Optimizer is { WeightDecay: > 0, Kind: not OptimizerKind.Muon }),
        new("warmup_ratio", "without warmup_steps, which takes precedence", config => config.Schedule.WarmupSteps == 0),
        new("warmup_ratio warmup_steps", "with a schedule that warms up, for instance lr_scheduler_type: constant_with_warmup",
            config => config.Schedule is not { LrSchedulerType: LrSchedulerType.Constant, DeepSpeedSchedule: null }),
        new("save_steps", "with save_strategy: steps", config => config.Run.SaveStrategy == IntervalStrategy.Steps),
        new("eval_steps", "with eval_strategy: steps", config => config.Run.EvalStrategy == IntervalStrategy.Steps),
        new("per_device_eval_batch_size predict_with_generate", "with eval_strategy, do_eval or do_predict",
            config => config.Run.Evaluates || config.Run.DoPredict),
        new("compute_accuracy eval_generate_samples", "with eval_strategy or do_eval", config => config.Run.Evaluates),
        new("metric_for_best_model", "with eval_strategy: steps or epoch", config => config.Run.EvalStrategy != IntervalStrategy.No),
        new("greater_is_better", "with metric_for_best_model, load_best_model_at_end or early_stopping_steps",
            config => config.Run is { MetricForBestModel: not null } or { LoadBestModelAtEnd: true } or { EarlyStoppingSteps: not null }),
        new("logging_dir", "with report_to: tensorboard", config => config.Run.UseTensorBoard),
        new("vision_cache_dir vision_cache_memory vision_cache_disk", "where cache_vision_features is not false",
            config => config.Memory.CacheVisionFeatures != Toggle.Off),
        new("vision_cache_disk", "where vision_cache_dir is not none",
            config => config.Memory.EffectiveVisionCacheDir is not null),
        new("temperature top_p top_k min_p generation_seed", "with do_sample: true", config => config.Generation.DoSample),
        new("hub_model_id hub_token hub_private_repo hub_revision", "with push_to_hub: true", config => config.Hub.PushToHub),
    ];

    /// <summary>The table: keys, and what they need.</summary>
    public static IEnumerable<(IReadOnlyList<string> Keys, string Needs)> All { get; } =
        [.. Table.Select(need => ((IReadOnlyList<string>)need.Keys.Split(' '), need.Needs))];

    /// <summary>All keys of the table.</summary>
    public static IEnumerable<string> Keys => All.SelectMany(need => need.Keys).Distinct();

    /// <summary>One sentence for each need that is not met, with the keys that were written for nothing.</summary>
    /// <param name="written">What a user wrote with a value, by the names of keys.</param>
    public static IEnumerable<string> Notices(TrainConfig config, IReadOnlyDictionary<string, ConfigEntry> written, ConfigUse use)
    {
        var isRun = use is ConfigUse.Train or ConfigUse.Plan or ConfigUse.Data;
        foreach (var need in Table.Where(need => (isRun || need.Everywhere) && !need.IsMet(config)))
        {
            var idle = need.Keys.Split(' ').Where(key => written.TryGetValue(key, out var entry) && !AsksForNothing(entry, key)).Select(key => written[key].Key)
                .ToList();
            if (idle.Count > 0)
            {
                yield return idle is [var one] ? $"{one} is ignored: it is only read {need.Needs}"
                    : $"{string.Join(", ", idle)} are ignored: they are only read {need.Needs}";
            }
        }
    }

    private static bool IsLora(TrainConfig config) => config.Tuning.FinetuningType == FinetuningType.Lora;

    /// <summary>Whether there is something to mix, among training rows or held-out ones.</summary>
    private static bool Mixes(TrainConfig config) =>
        config.Data.Dataset.Count > 1 || config.Data is { EvalDataset.Count: > 1, EvalOnEachDataset: false };

    /// <summary>Switched off, and off is what it would be anyway.</summary>
    private static bool AsksForNothing(ConfigEntry entry, string key) =>
        entry.Value.IsOff && Standard[key] is ("null" or "auto" or "false" or "0" or "");
}
