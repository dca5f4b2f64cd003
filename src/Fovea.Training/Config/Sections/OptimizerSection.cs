using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>The optimizer and its settings.</summary>
public sealed record OptimizerSection
{
    /// <summary>AdamW; the names that Transformers has for it mean the same here.</summary>
    [Affects(Learning)] public OptimizerKind Optim { get; init; } = OptimizerKind.AdamwTorch;

    /// <summary>Decay of weights other than biases and norms.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double WeightDecay { get; init; }

    /// <summary>Decay biases and norms too, as PyTorch's AdamW does by itself.</summary>
    [Affects(Learning)] public bool DecayNorms { get; init; }

    /// <summary>Decay of the mean of gradients.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of their squares.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>Added to the root of that mean.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>L2 norm to which gradients are clipped; 0 is never.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double MaxGradNorm { get; init; } = 1;
}
