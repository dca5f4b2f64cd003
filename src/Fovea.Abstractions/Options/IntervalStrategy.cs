namespace Fovea;

/// <summary>When something periodic happens (<c>save_strategy</c>, <c>eval_strategy</c>).</summary>
public enum IntervalStrategy
{
    No,
    Steps,
    Epoch,
}
