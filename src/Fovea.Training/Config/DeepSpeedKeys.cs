namespace Fovea.Training.Config;

/// <summary>Keys of a DeepSpeed file other than those that <see cref="DeepSpeedReader"/> reads: without effect here, or refused.</summary>
internal static class DeepSpeedKeys
{
    private const string OnlyZero = "models are sharded by zero_optimization alone";
    private const string WholeTypes = "weights are gathered and gradients are summed unrounded";
    private const string OnlyMemory = "the host's memory is the only other place";

    /// <summary>Sections and values that are read, for suggestions.</summary>
    public static readonly string[] Read =
    [
        "train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping", "fp16", "bf16", "bfloat16", "optimizer",
        "scheduler", "zero_optimization",
    ];

    /// <summary>They steer speed, buffers or messages of another program, and no result.</summary>
    public static readonly IReadOnlySet<string> Ignored = Words(
        "steps_per_print wall_clock_breakdown zero_allow_untested_optimizer zero_force_ds_cpu_optimizer comms_config comms_logger monitor_config tensorboard"
        + " wandb comet csv_monitor flops_profiler dump_state memory_breakdown prescale_gradients gradient_predivide_factor communication_data_type"
        + " seq_parallel_communication_data_type disable_allgather dataloader_drop_last activation_checkpointing aio checkpoint data_types"
        + " use_data_before_expert_parallelism graph_harvesting timers _comment comment");

    public static readonly IReadOnlySet<string> IgnoredOfZero = Words(
        "allgather_partitions allgather_bucket_size allgather_sequential overlap_comm reduce_scatter reduce_bucket_size contiguous_gradients"
        + " round_robin_gradients sub_group_size use_multi_rank_bucket_allreduce elastic_checkpoint load_from_fp32_weights ignore_unused_parameters"
        + " legacy_stage1 memory_efficient_linear stage3_prefetch_bucket_size stage3_param_persistence_threshold stage3_model_persistence_threshold"
        + " stage3_max_live_parameters stage3_max_reuse_distance stage3_use_all_reduce_for_fetch_params stage3_module_granularity_threshold"
        + " stage3_allgather_sequential module_granularity_threshold override_module_apply leaf_module log_trace_cache_warnings pipeline_loading_checkpoint");

    public static readonly IReadOnlySet<string> IgnoredOfOffload =
        Words("buffer_count buffer_size fast_init max_in_cpu pipeline_read pipeline_write pipeline nvme_path");

    public static readonly IReadOnlyDictionary<string, RefusedKey> Refused = new Dictionary<string, RefusedKey>
    {
        ["amp"] = new("use bf16: true"),
        ["fp8"] = new("use bf16: true"),
        ["torch_autocast"] = new("use bf16: true"),
        ["tensor_parallel"] = new(OnlyZero),
        ["pipeline"] = new(OnlyZero),
        ["sequence_parallel_size"] = new("it is a key of the configuration itself: write it there", "1"),
        ["expert_tensor_parallel_size"] = new(OnlyZero, "1"),
        ["sparse_gradients"] = new("gradients are dense"),
        ["sparse_attention"] = new("attention is exact"),
        ["compression_training"] = new("weights are not compressed during training"),
        ["quantize_training"] = new("weights are not compressed during training"),
        ["data_efficiency"] = new("samples are shuffled"),
        ["curriculum_learning"] = new("samples are shuffled"),
        ["progressive_layer_drop"] = new("no layer is left out"),
        ["eigenvalue"] = new("weights are not compressed during training"),
        ["elasticity"] = new("the number of processes is fixed, and a run resumes with another"),
        ["autotuning"] = new("ask 'fovea plan'"),
        ["hybrid_engine"] = new("Fovea generates by itself"),
        ["zenflow"] = new("the update waits for its gradients"),
        ["compile"] = new("Fovea has kernels of its own"),
    };

    public static readonly IReadOnlyDictionary<string, RefusedKey> RefusedOfZero = new Dictionary<string, RefusedKey>
    {
        ["zero_quantized_weights"] = new(WholeTypes),
        ["zero_quantized_nontrainable_weights"] = new(WholeTypes),
        ["zero_quantized_gradients"] = new(WholeTypes),
        ["zeropp_loco_param"] = new(WholeTypes),
        ["zero_hpz_partition_size"] = new("weights are sharded over all processes", "1"),
        ["mics_shard_size"] = new("weights are sharded over all processes", "-1"),
        ["mics_hierarchical_params_gather"] = new("weights are sharded over all processes"),
        ["zenflow"] = new("the update waits for its gradients"),
        ["cpu_offload_use_pin_memory"] = new("write offload_optimizer: {\"device\": \"cpu\", \"pin_memory\": true}"),
        ["cpu_offload"] = new("write offload_optimizer: {\"device\": \"cpu\"}"),
        ["cpu_offload_params"] = new("write offload_param: {\"device\": \"cpu\"}"),
    };

    public static readonly IReadOnlyDictionary<string, RefusedKey> RefusedOfOffload = new Dictionary<string, RefusedKey>
    {
        ["ratio"] = new("all of it goes to the host", "1", "1.0"),
        ["super_offload"] = new(OnlyMemory),
    };

    public static readonly IReadOnlyDictionary<string, RefusedKey> RefusedOfTypes = new Dictionary<string, RefusedKey>
    {
        ["fp16_master_weights_and_grads"] = new("trainable weights are kept in fp32; for 16 bits use pure_bf16: true"),
        ["bf16_master_weights_and_grads"] = new("trainable weights are kept in fp32; for 16 bits use pure_bf16: true"),
        ["bf16_optimizer_states"] = new("trainable weights are kept in fp32; for 16 bits use pure_bf16: true"),
    };

    public static readonly IReadOnlySet<string> IgnoredOfTypes = Words(
        "loss_scale loss_scale_window initial_scale_power hysteresis consecutive_hysteresis min_loss_scale auto_cast immediate_grad_update"
        + " check_grad_overflow");

    private static HashSet<string> Words(string text) => [.. text.Split(' ')];
}
