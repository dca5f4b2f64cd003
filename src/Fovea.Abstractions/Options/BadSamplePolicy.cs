namespace Fovea;

/// <summary>What happens to a sample that cannot be trained on. Each one is counted and reported, whatever the policy.</summary>
public enum BadSamplePolicy
{
    /// <summary>The run stops and lists what is wrong.</summary>
    Error,

    /// <summary>The sample is dropped; its step has one sample fewer.</summary>
    Skip,

    /// <summary>
    /// It is replaced by another sample of the dataset, drawn from the run's seed, the epoch and the sample; if that one is bad too, by the next draw.
    /// </summary>
    Resample,
}
