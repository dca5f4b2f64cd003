namespace Fovea.Training.Config;

/// <summary>What happens to a sample that cannot be used (<c>on_bad_sample</c>).</summary>
public enum BadSamplePolicy
{
    /// <summary>Stop, naming every bad sample found.</summary>
    Error,

    /// <summary>Leave it out; its step is smaller.</summary>
    Skip,

    /// <summary>Use the next sample in its place.</summary>
    Resample,
}
