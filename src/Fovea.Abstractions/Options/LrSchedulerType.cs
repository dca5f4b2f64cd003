namespace Fovea;

/// <summary>How the learning rate changes after warm-up (<c>lr_scheduler_type</c>).</summary>
public enum LrSchedulerType
{
    /// <summary>Falls linearly to 0.</summary>
    Linear,

    /// <summary>Falls to 0 along half a cosine.</summary>
    Cosine,

    /// <summary>Constant, without warm-up.</summary>
    Constant,

    /// <summary>Constant after warm-up.</summary>
    ConstantWithWarmup,

    /// <summary>Cosine down to <c>min_lr</c> or <c>min_lr_rate</c> of <c>lr_scheduler_kwargs</c>.</summary>
    CosineWithMinLr,

    /// <summary>A cosine plus a tenth: from 1.1 to 0.1 times the learning rate, over the batches of the run.</summary>
    CosinePlusTenth,

    /// <summary>A cosine from the learning rate to a tenth of it, over the batches of the run.</summary>
    CosineToTenth,
}
