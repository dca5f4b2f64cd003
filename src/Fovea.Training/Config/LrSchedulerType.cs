namespace Fovea.Training.Config;

/// <summary>How the learning rate moves after warm-up (<c>lr_scheduler_type</c>).</summary>
public enum LrSchedulerType
{
    Linear,
    Cosine,
    Constant,
    ConstantWithWarmup,

    /// <summary>Cosine down to <c>min_lr</c> or <c>min_lr_rate</c> of <c>lr_scheduler_kwargs</c>.</summary>
    CosineWithMinLr,
}
