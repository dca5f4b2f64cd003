namespace Fovea;

/// <summary>How the learning rate moves after warm-up (<c>lr_scheduler_type</c>).</summary>
public enum LrSchedulerType
{
    /// <summary>Falls to 0 in a straight line.</summary>
    Linear,

    /// <summary>Falls to 0 along half a cosine.</summary>
    Cosine,

    /// <summary>Stays where it is, without warm-up.</summary>
    Constant,

    /// <summary>Stays where it is after warm-up.</summary>
    ConstantWithWarmup,

    /// <summary>Cosine down to <c>min_lr</c> or <c>min_lr_rate</c> of <c>lr_scheduler_kwargs</c>.</summary>
    CosineWithMinLr,

    /// <summary>A cosine and a tenth of the rate on top, from 1.1 to 0.1 of it, over the batches of the run.</summary>
    CosinePlusTenth,

    /// <summary>A cosine from the rate to a tenth of it over the batches of the run.</summary>
    CosineToTenth,
}
