namespace Fovea.Data.Datasets;

/// <summary>What happens to a sample that cannot be trained on. Every one is counted and named, whatever the policy.</summary>
internal enum BadSamplePolicy
{
    /// <summary>The run stops and lists what is wrong.</summary>
    Error,

    /// <summary>The sample is left out; its step has one sample less.</summary>
    Skip,

    /// <summary>
    /// Another sample of the data set takes its place, drawn at random from the run's seed, the epoch and the sample, again where that is bad too.
    /// </summary>
    Resample,
}
