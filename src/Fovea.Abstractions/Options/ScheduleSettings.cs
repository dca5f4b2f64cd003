namespace Fovea;

/// <summary>Steps, batches and learning rates. A setting that is null keeps the configuration's value or the default.</summary>
public sealed class ScheduleSettings
{
    /// <summary>Samples per batch; at least 1, default 8. Samples are packed into micro-batches, so it hardly affects memory.</summary>
    [Key("per_device_train_batch_size")]
    public int? BatchSize { get; set; }

    /// <summary>Batches per optimizer step; at least 1, default 1.</summary>
    [Key("gradient_accumulation_steps")]
    public int? GradientAccumulation { get; set; }

    /// <summary>Passes over the samples; above 0, may be fractional, default 3.</summary>
    [Key("num_train_epochs")]
    public double? Epochs { get; set; }

    /// <summary>Optimizer steps, in place of <see cref="Epochs"/>; at least 1, or -1 (the default) for none.</summary>
    [Key("max_steps")]
    public int? MaxSteps { get; set; }

    /// <summary>How the learning rate changes after warm-up; default linear.</summary>
    [Key("lr_scheduler_type")]
    public LrSchedulerType? LearningRate { get; set; }

    /// <summary>Fraction of the steps over which the learning rate rises from 0; 0 to 1, default 0.</summary>
    [Key("warmup_ratio")]
    public double? WarmupRatio { get; set; }

    /// <summary>Steps over which the learning rate rises from 0, in place of <see cref="WarmupRatio"/>; below 1: a fraction of all. Default 0.</summary>
    [Key("warmup_steps")]
    public double? WarmupSteps { get; set; }
}
