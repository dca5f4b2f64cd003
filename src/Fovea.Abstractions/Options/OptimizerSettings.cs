namespace Fovea;

/// <summary>How weights are updated. A setting that is null keeps the configuration's value or the default.</summary>
public sealed class OptimizerSettings
{
    /// <summary>The optimizer; default AdamW.</summary>
    [Key("optim")]
    public OptimizerKind? Kind { get; set; }

    /// <summary>Peak learning rate; at least 0, default 5e-5.</summary>
    [Key("learning_rate")]
    public double? LearningRate { get; set; }

    /// <summary>Peak learning rate of the vision tower; at least 0, default <see cref="LearningRate"/>.</summary>
    [Key("vit_lr")]
    public double? VisionLearningRate { get; set; }

    /// <summary>Peak learning rate of the projector; at least 0, default <see cref="LearningRate"/>.</summary>
    [Key("aligner_lr")]
    public double? ProjectorLearningRate { get; set; }

    /// <summary>Decoupled weight decay; at least 0, default 0.</summary>
    [Key("weight_decay")]
    public double? WeightDecay { get; set; }

    /// <summary>Decay of the first moment; from 0 to below 1, default 0.9.</summary>
    [Key("adam_beta1")]
    public double? Beta1 { get; set; }

    /// <summary>Decay of the second moment; from 0 to below 1, default 0.999.</summary>
    [Key("adam_beta2")]
    public double? Beta2 { get; set; }

    /// <summary>Added to the denominator; at least 0, default 1e-8.</summary>
    [Key("adam_epsilon")]
    public double? Epsilon { get; set; }

    /// <summary>L2 norm to which the gradient is clipped; 0 never clips, default 1.</summary>
    [Key("max_grad_norm")]
    public double? MaxGradNorm { get; set; }
}
