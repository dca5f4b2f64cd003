namespace Fovea.Training.Config;

/// <summary>When something periodic happens (<c>save_strategy</c>, <c>eval_strategy</c>).</summary>
internal enum IntervalStrategy
{
    No,
    Steps,
    Epoch,
}
