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

    /// <summary>Falls to <c>lr_end</c> as a polynomial of degree <c>power</c>.</summary>
    Polynomial,

    /// <summary>Falls with the inverse square root of the step, on the scale of <c>timescale</c> steps.</summary>
    InverseSqrt,

    /// <summary>Falls to 0 along half a cosine <c>num_cycles</c> times, each time from the full rate.</summary>
    CosineWithRestarts,

    /// <summary>Constant after warm-up, then falls to <c>min_lr_ratio</c> of the rate over <c>num_decay_steps</c>.</summary>
    WarmupStableDecay,

    /// <summary>As <see cref="CosineWithMinLr"/>, with a warm-up that starts at <c>warmup_lr_rate</c> of the rate instead of 0.</summary>
    CosineWarmupWithMinLr,
}
