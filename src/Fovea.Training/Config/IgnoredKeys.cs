namespace Fovea.Training.Config;

/// <summary>Keys of LLaMA-Factory and Transformers that are accepted without effect, each with the reason that is reported once.</summary>
internal static class IgnoredKeys
{
    /// <summary>Why samples are not grouped by length.</summary>
    public const string NoPadding = "micro-batches carry no padding, so grouping by length would save nothing; samples are shuffled";

    private static readonly (string Reason, string Keys)[] Groups =
    [
        ("no code from a model folder is ever run", "trust_remote_code"),
        ("samples are encoded as they are needed, there is no cache to overwrite",
            "overwrite_cache preprocessing_batch_size preprocessing_num_workers tokenized_path"),
        ("a result is pushed once, when the run has ended", "hub_strategy hub_always_push"),
        ("Modelers (openMind) is not a hub that Fovea knows", "om_hub_token"),
        ("Fovea reads images, not videos", "video_max_pixels video_min_pixels video_fps video_maxlen"),
        ("Fovea reads images, not sound", "use_audio_in_video audio_sampling_rate"),
        ("it belongs to another model family's image processor", "image_do_pan_and_scan crop_to_patches"),
        ("attention is always exact; the kernel follows the device", "flash_attn attn attn_implementation"),
        ("it changes speed only, and Fovea has kernels of its own",
            "use_unsloth use_unsloth_gc enable_liger_kernel use_liger_kernel liger_kernel_config use_v1_kernels torch_compile"
            + " torch_compile_backend torch_compile_mode jit_mode_eval use_ipex use_flash_attn tf32 torch_empty_cache_steps"),
        ("gradient checkpointing is on unless disable_gradient_checkpointing or recompute says otherwise",
            "gradient_checkpointing gradient_checkpointing_kwargs use_reentrant_gc"),
        ("micro-batches are packed without padding and sized by micro_batch_tokens",
            "pad_to_multiple_of auto_find_batch_size per_device_train_micro_batch_size"),
        (NoPadding, "group_by_length"),
        ("labels of padding never reach the loss, there is no padding", "ignore_pad_token_for_loss"),
        ("logits always reach the loss in fp32", "upcast_lmhead_output"),
        ("the checkpoint is mapped into memory, never loaded twice", "low_cpu_mem_usage offload_folder"),
        ("the tokenizer of tokenizer.json is the only one", "use_fast_tokenizer"),
        ("generation always uses a cache", "use_kv_cache use_cache"),
        ("tokens are always counted and logged",
            "include_num_input_tokens_seen include_tokens_per_second include_effective_tokens_per_second"),
        ("the answer is limited by max_new_tokens", "max_length generation_max_length"),
        ("it is only read for beam search", "length_penalty eval_num_beams generation_num_beams"),
        ("it concerns the loader of another program",
            "dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor remove_unused_columns label_names length_column_name"
            + " accelerator_config data_shared_file_system use_legacy_prediction_loop past_index"),
        ("it concerns the evaluation loop of another program",
            "eval_accumulation_steps prediction_loss_only eval_do_concat_batches eval_use_gather_object batch_eval_metrics include_for_metrics"
            + " include_inputs_for_metrics bf16_full_eval"),
        ("what is printed follows the terminal; every number is in the log files",
            "log_level log_level_replica log_on_each_node disable_tqdm print_param_status logging_nan_inf_filter debug skip_memory_metrics project"
            + " trackio_space_id plot_loss_keys"),
        ("processes find one another through RANK, WORLD_SIZE and MASTER_ADDR, and exchange gradients as the device demands",
            "local_rank ddp_backend dispatch_batches split_batches ddp_find_unused_parameters ddp_broadcast_buffers"
            + " ddp_static_graph"),
        ("checkpoints are written once, as safetensors", "save_on_each_node save_safetensors"),
        ("an interrupted run always saves itself", "enable_jit_checkpoint"),
        ("tokens are averaged as loss_reduction says", "average_tokens_across_devices"),
        ("merging runs on the CPU", "export_device"),
        ("exports in 4 bits are bitsandbytes', which need no samples", "export_quantization_nsamples export_quantization_maxlen"),
        ("it is only read with quantization_bit",
            "quantization_device_map fp8_backend fp8_enable_fsdp_float8_all_gather"),
        ("it is only read with use_galore", "galore_target galore_rank galore_update_interval galore_scale galore_proj_type galore_layerwise"),
        ("it is only read with use_apollo",
            "apollo_target apollo_rank apollo_update_interval apollo_scale apollo_proj apollo_proj_type apollo_scale_type apollo_layerwise apollo_scale_front"),
        ("it is only read with use_badam",
            "badam_mode badam_start_block badam_switch_mode badam_switch_interval badam_update_ratio badam_mask_mode badam_verbose"),
        ("embeddings get no adapters, whose rate it is", "loraplus_lr_embedding"),
        ("it is only read with finetuning_type: oft", "module_dropout oft_rank oft_block_size oft_target"),
        ("it is only read by other stages than sft",
            "pref_beta pref_ftx pref_bco_weight pref_loss dpo_label_smoothing kto_chosen_weight kto_rejected_weight simpo_gamma ppo_buffer_size ppo_epochs"
            + " ppo_score_norm ppo_target ppo_whiten_rewards ref_model ref_model_adapters ref_model_quantization_bit reward_model reward_model_adapters"
            + " reward_model_quantization_bit reward_model_type ld_alpha"),
        ("it configures another inference engine",
            "vllm_maxlen vllm_gpu_util vllm_enforce_eager vllm_max_lora_rank vllm_config sglang_maxlen sglang_mem_fraction sglang_tp_size sglang_config"
            + " sglang_lora_backend"),
        ("it is only read with use_kt", "kt_optimize_rule cpu_infer chunk_size mode kt_maxlen kt_use_cuda_graph kt_mode kt_force_think"),
        ("it is only read with use_swanlab",
            "swanlab_project swanlab_workspace swanlab_run_name swanlab_mode swanlab_api_key swanlab_logdir swanlab_lark_webhook_url swanlab_lark_secret"),
        ("Fovea runs without Ray",
            "ray_run_name ray_storage_path ray_storage_filesystem ray_num_workers resources_per_worker placement_strategy ray_init_kwargs"),
        ("what is gathered together follows from the model: its blocks", "fsdp_config fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap"),
        ("it concerns other ways to fp16 than gradient scaling", "half_precision_backend fp16_opt_level fp16_backend fp16_full_eval"),
        ("it concerns the answers of text models", "tool_format"),
        ("images are found from the data", "visual_inputs"),
    ];

    /// <summary>Reasons by key.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } = Groups
        .SelectMany(group => group.Keys.Split(' ').Select(key => (key, group.Reason)))
        .ToDictionary(pair => pair.key, pair => pair.Reason);
}
