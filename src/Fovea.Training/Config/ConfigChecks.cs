using Fovea.Data.Datasets;
using Fovea.Models.Vocabularies;
using Fovea.Runs.Trackers;
using Fovea.Tensors;

namespace Fovea.Training.Config;

/// <summary>Rules between keys, most of them LLaMA-Factory's own.</summary>
internal static class ConfigChecks
{
    /// <param name="config">The configuration so far.</param>
    /// <param name="given">Keys that were written, valid or not: a bad value is not reported as missing as well.</param>
    /// <param name="use">Decides what must be there.</param>
    /// <param name="problems">Receives what is wrong.</param>
    public static void Run(TrainConfig config, IReadOnlySet<string> given, ConfigUse use, ICollection<string> problems)
    {
        Required(config, given, use, problems);
        Data(config, problems);
        LossScale(config, use, problems);
        StreamingChecks.Run(config, problems);
        Method(config, problems);
        AdapterChecks.Run(config.Tuning, problems);
        OptimizerChecks.Run(config.Optimizer, problems);
        ScheduleChecks.Run(config.Schedule, problems);
        Quantization(use is ConfigUse.Train or ConfigUse.Plan ? config : config with { Run = config.Run with { DoTrain = false } }, problems);
        AnswerChecks.Run(config, problems);
        foreach (var refusal in config.Run.ReportTo.Select(TrackerNames.Refusal).OfType<string>())
        {
            problems.Add(refusal);
        }

        if (config is { Model.Fp16: true, Model.Bf16: true } or { Model.Fp16: true, Model.PureBf16: true })
        {
            problems.Add($"fp16: true contradicts {(config.Model.Bf16 ? "bf16" : "pure_bf16")}: true; keep one of them");
        }

        if (config.Generation.MinNewTokens > config.Generation.MaxNewTokens)
        {
            problems.Add($"min_new_tokens: {config.Generation.MinNewTokens} is more than max_new_tokens: {config.Generation.MaxNewTokens}");
        }

        if (config.Generation.StopStrings.Contains(string.Empty))
        {
            problems.Add("stop_strings: an empty text would end every answer at once");
        }

        if (!Devices.IsName(config.Model.Device))
        {
            problems.Add($"device: '{config.Model.Device}' is not known; give {Devices.Names}");
        }

        if (config is { Memory.Recompute: RecomputeMode.Always or RecomputeMode.Selective, Memory.DisableGradientCheckpointing: true })
        {
            var written = config.Memory.Recompute == RecomputeMode.Always ? "true" : "selective";
            problems.Add($"recompute: {written} contradicts disable_gradient_checkpointing: true; keep one of them");
        }

        if (config.Memory is { ActivationOffload: Toggle.On, EffectiveRecompute: RecomputeMode.Never or RecomputeMode.Selective })
        {
            problems.Add("activation_offload: true moves inputs of recomputed blocks, and no block is recomputed here; set recompute: auto or always");
        }
    }

    private static void Quantization(TrainConfig config, ICollection<string> problems)
    {
        if (config.Export.ExportQuantizationBit is not (null or 4))
        {
            var bit = config.Export.ExportQuantizationBit;
            problems.Add($"export_quantization_bit: {bit} is refused: exports are in 16 bits, or in 4 as bitsandbytes has them");
        }

        if (config.Model.QuantizationBit is not { } bits)
        {
            return;
        }

        if (bits != 4)
        {
            problems.Add($"quantization_bit: {bits} is refused: bases are kept in 4 bits (bitsandbytes' nf4 or fp4) or in 16");
            return;
        }

        foreach (var problem in FourBitChecks.Problems(config, "quantization_bit: 4"))
        {
            problems.Add(problem);
        }
    }

    /// <summary>Gives words that mean "nothing" their one form.</summary>
    public static TrainConfig Normalise(TrainConfig config) => config with
    {
        Parallel = config.Parallel with
        {
            Deepspeed = config.Parallel.Deepspeed is { } file && IsOff(file) ? null : config.Parallel.Deepspeed,
            Fsdp = config.Parallel.Fsdp is [var word] && IsOff(word) ? [] : config.Parallel.Fsdp,
        },
        Run = config.Run with
        {
            ResumeFromCheckpoint = config.Run.ResumeFromCheckpoint?.ToLowerInvariant() switch
            {
                "false" or "no" or "none" or "" => null,
                "true" or "yes" => "true",
                _ => config.Run.ResumeFromCheckpoint,
            },
            ReportTo = [.. config.Run.ReportTo.Where(target => target != "none")],
        },
    };

    private static bool IsOff(string word) => word.ToLowerInvariant() is "false" or "no" or "none" or "off" or "0";

    private static void Required(TrainConfig config, IReadOnlySet<string> given, ConfigUse use, ICollection<string> problems)
    {
        void Need(bool there, string key, string what)
        {
            if (!there && !given.Contains(key))
            {
                problems.Add($"{key} is missing: {what}");
            }
        }

        if (use is ConfigUse.Any or ConfigUse.AnyRanks)
        {
            return;
        }

        Need(config.Model.ModelNameOrPath.Length > 0, "model_name_or_path", "the base model: a folder, or a name on the hub (org/name)");
        var trains = use == ConfigUse.Train && config.Run.DoTrain;
        if (trains || use == ConfigUse.Data)
        {
            Need(config.Data.Dataset.Count > 0, "dataset", "names from dataset_info.json, or files, separated by commas");
        }

        if (use == ConfigUse.Train)
        {
            Need(config.Run.OutputDir.Length > 0, "output_dir", "the folder for the adapter, checkpoints and logs");
            if (config.Run is { DoTrain: false, DoPredict: false })
            {
                problems.Add("do_train: false leaves nothing to do; remove the key, or set do_predict: true");
            }
        }

        if (use == ConfigUse.Export)
        {
            Need(config.Export.ExportDir is not null, "export_dir", "the folder for the merged model");
        }
    }

    private static void Data(TrainConfig config, ICollection<string> problems)
    {
        if (config.Data.ImageMaxPixels < config.Data.ImageMinPixels)
        {
            problems.Add($"image_max_pixels: {config.Data.ImageMaxPixels} is less than image_min_pixels: {config.Data.ImageMinPixels}");
        }

        if (config.Data.ValSize > 0 && config.Data.EvalDataset.Count > 0)
        {
            problems.Add("val_size and eval_dataset exclude each other: evaluation samples come from one of them");
        }

        if (config.Data.ValSize > 1 && config.Data.ValSize != Math.Floor(config.Data.ValSize))
        {
            problems.Add($"val_size: {config.Data.ValSize} must be a part less than 1 or a whole number of samples");
        }

        if (config.Run.Evaluates && config.Data.ValSize == 0 && config.Data.EvalDataset.Count == 0)
        {
            problems.Add("eval_strategy and do_eval need samples: set val_size or eval_dataset");
        }

        if (config.Tuning is { UseDftLoss: true, LabelSmoothingFactor: > 0 })
        {
            problems.Add("use_dft_loss and label_smoothing_factor exclude each other: both say what takes the place of cross-entropy");
        }

        foreach (var problem in MixRules.Problems(config.Data))
        {
            problems.Add(problem);
        }

        if (config is { Data.MaskHistory: true, Data.TrainOnPrompt: true })
        {
            problems.Add("mask_history and train_on_prompt exclude each other");
        }
    }

    /// <summary>Names and files of <c>loss_scale</c>, where they are read.</summary>
    private static void LossScale(TrainConfig config, ConfigUse use, ICollection<string> problems)
    {
        if (use is not (ConfigUse.Train or ConfigUse.Data))
        {
            return;
        }

        try
        {
            config.Data.Scaled();
        }
        catch (ConfigException e)
        {
            foreach (var problem in e.Problems)
            {
                problems.Add(problem);
            }
        }
    }

    private static void Method(TrainConfig config, ICollection<string> problems)
    {
        if (config.Tuning.FinetuningType != FinetuningType.Lora)
        {
            if (config.Model.AdapterNameOrPath.Count > 0)
            {
                problems.Add("adapter_name_or_path is only for finetuning_type: lora; merge the adapter first with 'fovea export'");
            }
        }

        if (config.Model is { InitSpecialTokens: not TokenStart.NoiseInit, NewSpecialTokensConfig: null })
        {
            problems.Add($"init_special_tokens: {ConfigKey.SnakeCase(config.Model.InitSpecialTokens.ToString())} needs new_special_tokens_config, "
                + "which says what each token means");
        }

        if (config is { Tuning: { PissaConvert: true, Start.ChangesBase: false }, Model.AdapterNameOrPath: [] })
        {
            problems.Add("pissa_convert: true needs an adapter that takes a part out of the base: pissa_init: true, or init_weights: olora");
        }

        if (config is { Tuning.FinetuningType: FinetuningType.Freeze, Tuning.FreezeTrainableLayers: 0 })
        {
            problems.Add("freeze_trainable_layers: 0 trains nothing; a positive number trains the last layers, a negative one the first");
        }

        var allFrozen = config is { Tuning.FreezeVisionTower: true, Tuning.FreezeMultiModalProjector: true, Tuning.FreezeLanguageModel: true };
        if (allFrozen && config.Tuning.AdditionalTarget.Count == 0)
        {
            problems.Add("freeze_vision_tower, freeze_multi_modal_projector and freeze_language_model together leave nothing to train");
        }

        if (config is { Tuning.Stage: TrainingStage.Pretrain, Tuning.FinetuningType: FinetuningType.Lora })
        {
            problems.Add("stage: pretrain needs finetuning_type: full (it trains the projector, see freeze_llm) or freeze");
        }

        if (config.Tuning.FreezeLlm is not null && config.Tuning.FinetuningType != FinetuningType.Full)
        {
            problems.Add("freeze_llm is only for finetuning_type: full");
        }
    }
}
