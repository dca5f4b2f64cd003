namespace Fovea;

/// <summary>When something periodic happens (<c>save_strategy</c>, <c>eval_strategy</c>).</summary>
public enum IntervalStrategy
{
    /// <summary>Never.</summary>
    No,

    /// <summary>At a fixed number of optimizer steps.</summary>
    Steps,

    /// <summary>After each pass over the samples.</summary>
    Epoch,
}
