using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Engine;

/// <summary>Steps from the data pipeline to the device: while one micro-batch is computed the next is copied, also across the border of a step.</summary>
/// <param name="lookAhead">Whether the next step may be taken from the pipeline before the present one is done; of use on a card only.</param>
public sealed class StepFeed(DataPipeline pipeline, StepRunner runner, bool lookAhead) : IDisposable
{
    private StepBatch? nextStep;
    private PreparedBatch? nextBatch;

    /// <summary>The next step, or null after the last. The caller disposes it.</summary>
    public StepBatch? Next()
    {
        if (nextStep is { } known)
        {
            nextStep = null;
            return known;
        }

        using var span = Profile.Open("wait for data");
        return pipeline.TryNext(out var step) ? step : null;
    }

    /// <summary>Queues forward and backward of all micro-batches of a step.</summary>
    /// <returns>The loss of the step, fp64 without dimensions, on the device and in the open scope.</returns>
    /// <param name="division">The ranks that do this step together; null is this process alone.</param>
    public Tensor Train(StepBatch step, Division? division = null)
    {
        using var casts = runner.CastAdapters();
        var loss = CreateOps.Zeros([], DType.F64, runner.Device);
        var batches = step.MicroBatches.Where(b => b.LossIndex.Length > 0).ToList();
        var passes = division?.Agree([.. batches.Select(runner.RunsVision)], learns: true);
        for (var i = 0; i < (passes?.Count ?? batches.Count); i++)
        {
            division?.Begin(passes![i]);
            if (i >= batches.Count)
            {
                division!.End();
                continue;
            }

            // The step's own, unless somebody asked for another step meanwhile.
            using var batch = nextBatch?.Batch == batches[i] ? nextBatch : runner.Prepare(batches[i]);
            if (!ReferenceEquals(nextBatch, batch))
            {
                nextBatch?.Dispose();
            }

            nextBatch = null;
            loss.Add_(runner.Queue(batch, step.Step).To(DType.F64));
            division?.End();
            if (lookAhead && i + 1 < batches.Count)
            {
                nextBatch = runner.Prepare(batches[i + 1]);
            }
        }

        return loss;
    }

    /// <summary>Takes the next step if it is ready and sends its first micro-batch off; to be called before waiting for the device.</summary>
    public void LookAhead()
    {
        if (!lookAhead || nextStep is not null || pipeline.Ready == 0 || !pipeline.TryNext(out var step))
        {
            return;
        }

        nextStep = step;
        if (step.MicroBatches.FirstOrDefault(b => b.LossIndex.Length > 0) is { } first)
        {
            nextBatch = runner.Prepare(first);
        }
    }

    public void Dispose()
    {
        nextBatch?.Dispose();
        nextStep?.Dispose();
    }
}
