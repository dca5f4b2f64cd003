namespace Fovea;

/// <summary>
/// What is kept in memory and what is recomputed; none of it changes a result. A setting that is null keeps the configuration's value or the default.
/// </summary>
public sealed class MemorySettings
{
    /// <summary>Most tokens of a packed micro-batch; at least 1, default: what fits.</summary>
    [Key("micro_batch_tokens")]
    public int? MicroBatchTokens { get; set; }

    /// <summary>Which activations are recomputed in the backward pass; default: those that do not fit.</summary>
    [Key("recompute")]
    public RecomputeMode? Recompute { get; set; }

    /// <summary>Memory that the run may take, for instance <c>20GiB</c>; default: what the device has free.</summary>
    [Key("memory_budget")]
    public string? Budget { get; set; }

    /// <summary>Keep the features of a frozen vision tower from one epoch to the next; default: where it is of use.</summary>
    [Key("cache_vision_features")]
    public bool? CacheVisionFeatures { get; set; }

    /// <summary>Folder of kept features; <c>none</c> keeps them in memory only. Default: Fovea's cache folder.</summary>
    [Key("vision_cache_dir")]
    public string? VisionCacheFolder { get; set; }

    /// <summary>ZeRO stage where several processes train together, 0 to 3; default 0.</summary>
    [Key("zero")]
    public int? Zero { get; set; }

    /// <summary>What lies in the host's memory instead of the device's; default none.</summary>
    [Key("offload")]
    public OffloadKind? Offload { get; set; }
}
