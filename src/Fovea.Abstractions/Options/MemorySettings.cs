namespace Fovea;

/// <summary>
/// What is kept in memory and what is recomputed; none of it changes a result. A setting that is null keeps the configuration's value or the default.
/// </summary>
public sealed class MemorySettings
{
    /// <summary>Maximum tokens of a packed micro-batch; at least 1, default: what fits.</summary>
    [Key("micro_batch_tokens")]
    public int? MicroBatchTokens { get; set; }

    /// <summary>Which activations are recomputed in the backward pass; default: those that do not fit.</summary>
    [Key("recompute")]
    public RecomputeMode? Recompute { get; set; }

    /// <summary>On GPUs, keep inputs of recomputed blocks in host memory; default: where that makes room for more activations.</summary>
    [Key("activation_offload")]
    public bool? ActivationOffload { get; set; }

    /// <summary>Memory that the run may use, for instance <c>20GiB</c>; default: what the device has free.</summary>
    [Key("memory_budget")]
    public string? Budget { get; set; }

    /// <summary>Cache the features of a frozen vision tower across epochs; default: where that is useful.</summary>
    [Key("cache_vision_features")]
    public bool? CacheVisionFeatures { get; set; }

    /// <summary>Folder of cached features; <c>none</c> keeps them in memory only. Default: Fovea's cache folder.</summary>
    [Key("vision_cache_dir")]
    public string? VisionCacheFolder { get; set; }

    /// <summary>ZeRO stage when several processes train together, 0 to 3; default 0.</summary>
    [Key("zero")]
    public int? Zero { get; set; }

    /// <summary>What is kept in host memory instead of device memory; default none.</summary>
    [Key("offload")]
    public OffloadKind? Offload { get; set; }
}
