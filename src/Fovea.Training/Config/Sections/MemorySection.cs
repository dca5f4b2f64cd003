using Fovea.Keys;
using Fovea.Nn;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>What is kept in memory and what is computed again.</summary>
public sealed record MemorySection
{
    /// <summary>Tokens of one packed micro-batch; null (<c>auto</c>) is chosen from <see cref="MemoryBudget"/>. Cannot change the gradient.</summary>
    [Auto, Bounds(1)]
    [Affects(Execution)] public int? MicroBatchTokens { get; init; }

    /// <summary>What backward computes again: blocks, or what is cheap. <see cref="DisableGradientCheckpointing"/> makes it <c>never</c>.</summary>
    [Affects(Execution)] public RecomputeMode Recompute { get; init; } = RecomputeMode.Auto;

    /// <summary>Keep every activation instead of computing each block again in the backward pass.</summary>
    [Affects(Execution)] public bool DisableGradientCheckpointing { get; init; }

    /// <summary>Memory of the device for the run, weights included; null (<c>auto</c>) is nine tenths of what is free: a GPU's own, or the host's.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? MemoryBudget { get; init; }

    /// <summary>Keep the features of a frozen vision tower, in memory and on disk: from the second epoch or run on, images are not decoded again.</summary>
    [Affects(Execution)] public Toggle CacheVisionFeatures { get; init; } = Toggle.Auto;

    /// <summary>Folder of those on disk, which runs may share; null is <c>~/.cache/fovea/vision</c>, <c>none</c> keeps them in memory only.</summary>
    [FilePath, Affects(Execution)] public string? VisionCacheDir { get; init; }

    /// <summary>Most that is kept in the host's memory; null (<c>auto</c>) is a quarter of what is free, on the CPU of what the run leaves.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? VisionCacheMemory { get; init; }

    /// <summary>Most that is kept on disk, the least recently used going first; null (<c>auto</c>) is a tenth of the free space, at most 20 GiB.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? VisionCacheDisk { get; init; }

    /// <summary>The mode after <see cref="DisableGradientCheckpointing"/> has had its say.</summary>
    public RecomputeMode EffectiveRecompute => Recompute == RecomputeMode.Auto && DisableGradientCheckpointing ? RecomputeMode.Never : Recompute;

    /// <summary>Whether anything may be computed again in the backward pass.</summary>
    public bool UsesRecompute => EffectiveRecompute != RecomputeMode.Never;

    /// <summary>What happens to every block where the mode says so; <c>auto</c> decides for each batch.</summary>
    public BlockMode UsualBlockMode => EffectiveRecompute switch
    {
        RecomputeMode.Always => BlockMode.Recompute,
        RecomputeMode.Selective => BlockMode.Selective,
        _ => BlockMode.Keep,
    };

    /// <summary>Where vision features are kept on disk; null for memory only.</summary>
    public string? EffectiveVisionCacheDir => VisionCacheDir switch
    {
        "none" => null,
        null => Path.Combine(CacheFolder.Path, "vision"),
        var folder => folder,
    };
}
