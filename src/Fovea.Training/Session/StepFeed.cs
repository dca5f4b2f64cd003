using System.Diagnostics;
using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>Steps from their source to the device: while one micro-batch is computed the next is copied, also across the border of a step.</summary>
/// <param name="source">Belongs to the feed where it can be disposed.</param>
/// <param name="lookAhead">Whether the next step may be taken before the present one is done; of use on a GPU only.</param>
internal sealed class StepFeed(IStepSource source, StepRunner runner, IObjective objective, Mesh mesh, bool lookAhead) : IDisposable
{
    private StepBatch? nextStep;
    private PreparedBatch? nextBatch;

    /// <summary>The next step, or null after the last. The caller disposes it.</summary>
    public TrainStep? Next()
    {
        var asked = Stopwatch.GetTimestamp();
        return Take() is { } batch ? new TrainStep(this, batch, StepTotals.Of(batch, mesh)) { Asked = asked } : null;
    }

    /// <summary>Takes the next step if it is ready and sends its first micro-batch off; to be called before waiting for the device.</summary>
    public void LookAhead()
    {
        if (!lookAhead || nextStep is not null || source.Ready == 0 || !source.TryNext(out var step))
        {
            return;
        }

        nextStep = step;
        if (step.MicroBatches.FirstOrDefault(objective.Uses) is { } first)
        {
            nextBatch = runner.Prepare(first);
        }
    }

    /// <summary>A micro-batch on its way to the device: the one that was sent ahead, unless somebody asked for another step meanwhile.</summary>
    internal PreparedBatch Send(PackedBatch batch)
    {
        var sent = nextBatch;
        nextBatch = null;
        if (sent?.Batch == batch)
        {
            return sent;
        }

        sent?.Dispose();
        return runner.Prepare(batch);
    }

    /// <summary>Sends a later micro-batch of the same step off, where that pays.</summary>
    internal void SendAhead(PackedBatch batch) => nextBatch = lookAhead ? runner.Prepare(batch) : null;

    public void Dispose()
    {
        nextBatch?.Dispose();
        nextStep?.Dispose();
        (source as IDisposable)?.Dispose();
    }

    private StepBatch? Take()
    {
        if (nextStep is { } known)
        {
            nextStep = null;
            return known;
        }

        using var span = Profile.Open("wait for data");
        return source.TryNext(out var step) ? step : null;
    }
}
