using Fovea.Data.Packing;
using Fovea.Training.Objectives;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests;

/// <summary>Single micro-batches and updates, as tests look at them: with results on the host.</summary>
internal static class RunnerSteps
{
    private static readonly TokenLoss Objective = new();

    /// <summary>Forward and backward; gradients are accumulated in the weights.</summary>
    /// <param name="totals">Those of the step that the batch is a part of; null is a step of this batch alone.</param>
    public static (double Loss, float[] TokenLosses) Train(this StepRunner runner, PackedBatch batch, int step, StepTotals? totals = null)
    {
        using var scope = TensorScope.Open("micro-batch");
        if (!Objective.Uses(batch))
        {
            return (0, []);
        }

        using var prepared = runner.Prepare(batch);
        var loss = (TokenBatchLoss)runner.Train(prepared, Objective, (totals ?? StepTotals.Of(StepBatch.Of(batch))) with { Step = step });
        return (loss.Value.Item(), loss.TokenLosses.ToArray<float>());
    }

    /// <summary>Forward only.</summary>
    public static (double Loss, float[] TokenLosses, long Hits) Evaluate(this StepRunner runner, PackedBatch batch, StepTotals? totals = null)
    {
        var measured = (TokenBatchMeasure)runner.Evaluate(batch, Objective, totals ?? StepTotals.Of(StepBatch.Of(batch)));
        return (measured.Loss, measured.TokenLosses, (long)measured.Sums[2]);
    }

    /// <summary>The loss of a whole step, forward and backward, on the device.</summary>
    public static Tensor Queue(this StepRunner runner, StepBatch batch)
    {
        var loss = CreateOps.Zeros([], DType.F64, runner.Device);
        foreach (var micro in batch.MicroBatches)
        {
            using var scope = TensorScope.Open("micro-batch");
            using var prepared = runner.Prepare(micro);
            loss.Add_(runner.Train(prepared, Objective, StepTotals.Of(batch)).Value.To(DType.F64));
        }

        return loss;
    }

    /// <summary>Clips the gradients that lie at the weights, by the formula.</summary>
    /// <returns>Their norm before.</returns>
    public static double Clip(this IOptimizer optimizer, double maxNorm)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        var gradients = optimizer.Parts.Select(part => part.Gradient()).OfType<Tensor>().ToList();
        var norm = Math.Sqrt(gradients.Sum(g => Math.Pow(g.To(DType.F64).Norm().Item(), 2)));
        if (maxNorm > 0 && norm > maxNorm)
        {
            gradients.ForEach(g => g.Mul_(maxNorm / (norm + 1e-6)));
        }

        return norm;
    }

    /// <summary>An update without clipping.</summary>
    public static void Step(this IOptimizer optimizer, double rate)
    {
        using var scope = TensorScope.Open("step");
        optimizer.Update(rate, 0, CreateOps.Zeros([], DType.F32));
    }
}
