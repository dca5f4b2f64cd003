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

    /// <summary>A cosine and a tenth of the rate on top, from 1.1 to 0.1 of it, over the batches of the run.</summary>
    CosinePlusTenth,

    /// <summary>A cosine from the rate to a tenth of it over the batches of the run.</summary>
    CosineToTenth,
}
