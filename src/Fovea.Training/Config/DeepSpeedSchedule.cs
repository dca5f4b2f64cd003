namespace Fovea.Training.Config;

/// <summary>The <c>scheduler</c> of a DeepSpeed file, which goes before <c>lr_scheduler_type</c>; its highest rate is <c>learning_rate</c>.</summary>
/// <param name="Source">The file, for messages.</param>
internal sealed record DeepSpeedSchedule(DeepSpeedScheduler Kind, string Source)
{
    /// <summary>The rate that the warm-up starts from.</summary>
    public double MinRate { get; init; }

    /// <summary>Steps of warm-up; null (<c>auto</c>) is what the warm-up keys of the configuration say.</summary>
    public int? WarmupSteps { get; init; }

    /// <summary>Steps of the whole schedule; null (<c>auto</c>) is the run's.</summary>
    public int? TotalSteps { get; init; }

    /// <summary>The warm-up is a line; otherwise it follows the logarithm of the step.</summary>
    public bool Linear { get; init; }

    /// <summary>Of a cosine: the part of the rate that the warm-up starts from.</summary>
    public double MinRatio { get; init; }

    /// <summary>Of a cosine: the part of the rate that it ends with.</summary>
    public double EndRatio { get; init; } = 1e-4;
}
