namespace Fovea.Training.Config;

/// <summary>The schedules of DeepSpeed that Fovea has (<c>scheduler.type</c>).</summary>
internal enum DeepSpeedScheduler
{
    /// <summary>Up to the highest rate, and constant from there.</summary>
    WarmupLR,

    /// <summary>Then down to 0 in a line.</summary>
    WarmupDecayLR,

    /// <summary>Then down to a part of the rate along a cosine.</summary>
    WarmupCosineLR,
}
