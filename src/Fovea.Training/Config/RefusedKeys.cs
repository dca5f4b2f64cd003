namespace Fovea.Training.Config;

/// <summary>
/// Keys whose effect Fovea does not have. Silently leaving them out would train something else than was asked for, so they stop the run
/// with the reason; switched off (<c>false</c>, <c>null</c>, <c>0</c>) they pass.
/// </summary>
internal static class RefusedKeys
{
    private const string OtherOptimizer = "it is not among the optimizers, which are AdamW (also in 8 bits), SGD, Adafactor, Lion and Muon; remove the key";
    private const string OnlyZero = "models are sharded by ZeRO alone, not within a layer or by layers; remove the key and use zero: 3";

    private const string SplitsSequences = "write sequence_parallel_size, which splits sequences over as many processes";

    private const string Processes = "how many processes run is a matter of the environment: NPROC_PER_NODE=2 fovea train FILE (docs/many-processes.md)";

    public static IReadOnlyDictionary<string, RefusedKey> All { get; } = new Dictionary<string, RefusedKey>
    {
        ["ranks"] = new(Processes),
        ["num_processes"] = new(Processes),
        ["nproc_per_node"] = new(Processes),
        ["parallelism_config"] = new(OnlyZero),
        ["cp_size"] = new(SplitsSequences, "1"),
        ["context_parallel_size"] = new(SplitsSequences, "1"),
        ["fp8"] = new("fp8 is not supported; use bf16, with quantization_bit: 4 where the base must be smaller"),
        ["export_quantization_dataset"] = new("exports in 4 bits are bitsandbytes', which no samples are needed for; GPTQ is not written; remove the key"),
        ["export_legacy_format"] = new("exports are safetensors, which every current loader reads; remove the key"),
        ["use_llama_pro"] = new("expanded blocks are not supported; use freeze_trainable_layers"),
        ["use_galore"] = new(OtherOptimizer),
        ["use_apollo"] = new(OtherOptimizer),
        ["use_badam"] = new(OtherOptimizer),
        ["use_adam_mini"] = new(OtherOptimizer),
        ["optim_target_modules"] = new("it is read with GaLore and APOLLO, which are not among the optimizers; remove the key"),
        ["adafactor"] = new("Transformers 5 has it as optim: adafactor; write that"),
        ["use_mca"] = new(OnlyZero),
        ["use_kt"] = new("KTransformers is another engine; remove the key"),
        ["use_eaft_loss"] = new("it is not among the losses, which are cross-entropy and use_dft_loss; remove the key"),
        ["use_asft_loss"] = new("it is not among the losses, which are cross-entropy and use_dft_loss; remove the key"),
        ["use_swanlab"] = new("use report_to: tensorboard, which holds the same numbers"),
        ["packing"] = new("Fovea packs micro-batches by itself, without changing which samples make a step; remove the key (see micro_batch_tokens)"),
        ["neat_packing"] = new("Fovea packs micro-batches by itself, and no sample sees another; remove the key (see micro_batch_tokens)"),
        ["train_sampling_strategy"] = new("samples are shuffled; use disable_shuffling: true for the order of the files", "random")
        {
            Ignored = ("group_by_length", IgnoredKeys.NoPadding),
        },
        ["dataloader_drop_last"] = new("the last samples of an epoch are always used; remove the key"),
        ["ignore_data_skip"] = new("a resumed run always goes on at its place in the data; remove the key"),
        ["split_special_tokens"] = new("special tokens in the text are always kept whole"),
        ["rope_scaling"] = new("the rotary embedding is the checkpoint's; remove the key"),
        ["shift_attn"] = new("attention is exact; remove the key"),
        ["mixture_of_depths"] = new("mixture of depths is not supported; remove the key"),
        ["upcast_layernorm"] = new("norms run as in the checkpoint's own code; remove the key"),
        ["train_from_scratch"] = new("training starts from a checkpoint; remove the key"),
        ["infer_backend"] = new("Fovea generates by itself; remove the key", "huggingface", "hf"),
        ["num_beams"] = new("answers are greedy or sampled, without beams; remove the key", "1"),
        ["logging_strategy"] = new("losses are logged every logging_steps", "steps"),
        ["eval_delay"] = new("evaluation starts with the first eval_steps; remove the key"),
        ["eval_on_start"] = new("evaluation starts with the first eval_steps; remove the key"),
        ["train_mm_proj_only"] = new("use freeze_vision_tower: true, freeze_language_model: true and freeze_multi_modal_projector: false"),
        ["image_resolution"] = new("give the area instead: image_max_pixels is its square"),
        ["adapter_folder"] = new("give full paths in adapter_name_or_path"),
    };
}
