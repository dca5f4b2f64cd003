using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>One optimizer step at work. What is computed for it belongs to its scope and is freed with it.</summary>
internal sealed class TrainStep : IDisposable
{
    private readonly Profile.Span span;
    private readonly TensorScope scope;

    internal TrainStep(StepFeed feed, StepBatch batch, StepTotals totals)
    {
        Feed = feed;
        Batch = batch;
        Totals = totals;
        span = Profile.Open("step");
        scope = TensorScope.Open("step");
    }

    /// <summary>This rank's part of it.</summary>
    public StepBatch Batch { get; }

    /// <summary>What all ranks do in it.</summary>
    public StepTotals Totals { get; }

    /// <summary>When its data was asked for, as <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> says.</summary>
    public long Asked { get; init; }

    internal StepFeed Feed { get; }

    public void Dispose()
    {
        scope.Dispose();
        span.Dispose();
        Batch.Dispose();
    }
}
