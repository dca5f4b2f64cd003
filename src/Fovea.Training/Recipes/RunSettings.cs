using Fovea.Training.Config;

namespace Fovea.Training.Recipes;

/// <summary>
/// The settings that decide what a run learns, beside those that a resumed run may not change at all (<see cref="Resumption.Check"/>). Where it runs and what
/// it writes is not among them: paths, ranks, sharding, memory, logging, saving and evaluation may differ freely.
/// </summary>
internal static class RunSettings
{
    private static readonly string[] Names =
    [
        "stage", "finetuning_type", "lora_rank", "lora_alpha", "lora_dropout", "lora_target", "additional_target", "use_rslora", "freeze_vision_tower",
        "freeze_multi_modal_projector", "freeze_language_model", "freeze_trainable_layers", "freeze_trainable_modules", "freeze_extra_modules", "freeze_llm",
        "moe_aux", "vision_mask", "dataset", "image_max_pixels", "image_min_pixels", "max_slice_nums", "default_system", "cutoff_len", "train_on_prompt",
        "mask_history", "label_mask", "empty_think_ratio", "add_system_ratio", "system_prompts", "disable_shuffling", "learning_rate", "num_train_epochs",
        "max_steps", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_ratio", "warmup_steps", "optim", "weight_decay", "decay_norms", "adam_beta1",
        "adam_beta2", "adam_epsilon", "max_grad_norm", "bf16", "fp16", "pure_bf16", "seed", "loss_reduction", "step_rounding",
    ];

    /// <summary>Their values as the configuration's page writes them.</summary>
    public static IReadOnlyDictionary<string, string> Of(TrainConfig config)
    {
        var all = config.ToDictionary();
        return Names.ToDictionary(name => name, name => all[name]);
    }

    /// <summary>One sentence for all that differ; none where nothing does or the checkpoint is of an earlier version and does not know.</summary>
    public static IEnumerable<string> Differences(IReadOnlyDictionary<string, string>? then, IReadOnlyDictionary<string, string> now)
    {
        var changed = Names.Where(name => then?.GetValueOrDefault(name, now[name]) is { } value && value != now[name]).ToList();
        if (changed.Count > 0)
        {
            yield return "the checkpoint was made with other settings, this run goes on with its own: "
                + string.Join(", ", changed.Select(name => $"{name} {then![name]} -> {now[name]}"));
        }
    }
}
