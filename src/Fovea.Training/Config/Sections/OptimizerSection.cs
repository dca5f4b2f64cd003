using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>The optimizer and its settings.</summary>
internal sealed record OptimizerSection
{
    /// <summary>The optimizer; Transformers' other names for these are taken too (<c>lion_32bit</c>, <c>paged_adamw_8bit</c>): see optimizers.md.</summary>
    [Affects(Learning)] public OptimizerKind Optim { get; init; } = OptimizerKind.AdamwTorch;

    /// <summary>Arguments of the optimizer, of which <c>sgd</c> reads some: <c>momentum=0.9, nesterov=true</c>.</summary>
    [Affects(Learning)] public NamedValues OptimArgs { get; init; } = NamedValues.None;

    /// <summary>The same as <c>optim: muon</c>, as LLaMA-Factory writes it.</summary>
    [Affects(Learning)] public bool UseMuon { get; init; }

    /// <summary>Weight decay, not applied to biases and norms.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double WeightDecay { get; init; }

    /// <summary>Apply weight decay to biases and norms too, as PyTorch's AdamW does by default.</summary>
    [Affects(Learning)] public bool DecayNorms { get; init; }

    /// <summary>AdamW's and Lion's beta1: decay of the running mean of gradients; Lion's share of it in the direction.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>AdamW's beta2: decay of the running mean of squared gradients; Lion's decay of its mean.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>AdamW's epsilon: added to the root of the mean of squared gradients.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Gradient clipping: maximum L2 norm; 0 disables it.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double MaxGradNorm { get; init; } = 1;

    /// <summary>The optimizer, however it was asked for.</summary>
    public OptimizerKind Kind => UseMuon ? OptimizerKind.Muon : Optim;

    public bool IsAdamW => Kind is OptimizerKind.AdamwTorch or OptimizerKind.AdamwTorchFused or OptimizerKind.AdamwHf;
}
