namespace Fovea.Data.Datasets;

/// <summary>What happens to a sample that cannot be trained on. Every one is counted and named, whatever the policy.</summary>
public enum BadSamplePolicy
{
    /// <summary>The run stops and lists what is wrong.</summary>
    Error,

    /// <summary>The sample is left out; its step has one sample less.</summary>
    Skip,

    /// <summary>The next good sample of the data set takes its place.</summary>
    Resample,
}
