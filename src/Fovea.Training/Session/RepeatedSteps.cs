using System.Diagnostics.CodeAnalysis;
using Fovea.Data.Packing;

namespace Fovea.Training.Session;

/// <summary>The same micro-batch in every step, without end: what measurements and tests train on. The batch stays the caller's.</summary>
/// <param name="batch">Its labelled tokens all count the same.</param>
internal sealed class RepeatedSteps(PackedBatch batch) : IStepSource
{
    private int step;

    public int Ready => 1;

    public bool TryNext([NotNullWhen(true)] out StepBatch? step, CancellationToken cancellation = default)
    {
        step = StepBatch.Of(batch, this.step++);
        return true;
    }
}
