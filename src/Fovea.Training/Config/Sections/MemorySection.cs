using Fovea.Keys;
using Fovea.Nn;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>What is kept in memory and what is recomputed.</summary>
internal sealed record MemorySection
{
    /// <summary>Tokens per packed micro-batch; null (<c>auto</c>) is chosen from <see cref="MemoryBudget"/>. Does not change the gradient.</summary>
    [Auto, Bounds(1)]
    [Affects(Execution)] public int? MicroBatchTokens { get; init; }

    /// <summary>What backward recomputes: whole blocks, or only what is cheap. <see cref="DisableGradientCheckpointing"/> makes it <c>never</c>.</summary>
    [Affects(Execution)] public RecomputeMode Recompute { get; init; } = RecomputeMode.Auto;

    /// <summary>Keep every activation instead of recomputing each block in the backward pass.</summary>
    [Affects(Execution)] public bool DisableGradientCheckpointing { get; init; }

    /// <summary>On GPUs, keep inputs of recomputed blocks in host memory: <c>auto</c> where that makes room for more activations, <c>true</c> always.</summary>
    [Affects(Execution)] public Toggle ActivationOffload { get; init; } = Toggle.Auto;

    /// <summary>Device memory for the run, weights included; null (<c>auto</c>) is nine tenths of what is free, on the GPU or else the host.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? MemoryBudget { get; init; }

    /// <summary>Cache the features of a frozen vision tower, in memory and on disk: from the second epoch or run on, images are not decoded again.</summary>
    [Affects(Execution)] public Toggle CacheVisionFeatures { get; init; } = Toggle.Auto;

    /// <summary>Folder of the on-disk feature cache, which runs may share; null is <c>~/.cache/fovea/vision</c>, <c>none</c> caches in memory only.</summary>
    [FilePath, Affects(Execution)] public string? VisionCacheDir { get; init; }

    /// <summary>Limit of the feature cache in host memory; null (<c>auto</c>) is a quarter of what is free; in CPU runs, of what the run leaves free.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? VisionCacheMemory { get; init; }

    /// <summary>Limit of the feature cache on disk, evicted by least recent use; null (<c>auto</c>) is a tenth of the free space, at most 20 GiB.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? VisionCacheDisk { get; init; }

    /// <summary>The mode after <see cref="DisableGradientCheckpointing"/> is applied.</summary>
    public RecomputeMode EffectiveRecompute => Recompute == RecomputeMode.Auto && DisableGradientCheckpointing ? RecomputeMode.Never : Recompute;

    /// <summary>Whether anything may be recomputed in the backward pass.</summary>
    public bool UsesRecompute => EffectiveRecompute != RecomputeMode.Never;

    /// <summary>The mode of every block where the setting fixes it; <c>auto</c> decides for each batch.</summary>
    public BlockMode UsualBlockMode => EffectiveRecompute switch
    {
        RecomputeMode.Always => BlockMode.Recompute,
        RecomputeMode.Selective => BlockMode.Selective,
        _ => BlockMode.Keep,
    };

    /// <summary>Where vision features are cached on disk; null for memory only.</summary>
    public string? EffectiveVisionCacheDir => VisionCacheDir switch
    {
        "none" => null,
        null => Path.Combine(CacheFolder.Path, "vision"),
        var folder => folder,
    };
}
