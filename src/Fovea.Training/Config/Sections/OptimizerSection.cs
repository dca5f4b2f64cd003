using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>The optimizer and its settings.</summary>
internal sealed record OptimizerSection
{
    /// <summary>AdamW; Transformers' names for it all mean the same here.</summary>
    [Affects(Learning)] public OptimizerKind Optim { get; init; } = OptimizerKind.AdamwTorch;

    /// <summary>Weight decay, not applied to biases and norms.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double WeightDecay { get; init; }

    /// <summary>Apply weight decay to biases and norms too, as PyTorch's AdamW does by default.</summary>
    [Affects(Learning)] public bool DecayNorms { get; init; }

    /// <summary>AdamW's beta1: decay of the running mean of gradients.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>AdamW's beta2: decay of the running mean of squared gradients.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>AdamW's epsilon: added to the root of the mean of squared gradients.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Gradient clipping: maximum L2 norm; 0 disables it.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double MaxGradNorm { get; init; } = 1;
}
