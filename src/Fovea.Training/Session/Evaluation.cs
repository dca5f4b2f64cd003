using System.Diagnostics;
using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Events;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>
/// The loss on held-out samples: the mean of the batches' means, weighed by samples, as Transformers computes it; besides, what the objective measures. A batch
/// without a trained token has no loss and is in no mean.
/// </summary>
internal static class Evaluation
{
    /// <param name="pipeline">Delivers one evaluation batch of this rank a step, planned with <see cref="LossReduction.Mean"/>.</param>
    public static Evaluated Run(StepRunner runner, IObjective objective, IStepSource pipeline, Mesh mesh, ParallelStrategy strategy)
    {
        var watch = Stopwatch.StartNew();
        var (sum, samples, batches, weighed) = (0.0, 0L, 0L, 0L);
        var sums = new double[objective.Sums.Count];
        while (pipeline.TryNext(out var batch))
        {
            using (batch)
            {
                var loss = 0.0;
                var totals = StepTotals.Of(batch);
                var own = batch.MicroBatches.Where(objective.Uses).ToList();
                strategy.Run([.. own.Select(runner.RunsVision)], trains: false, i =>
                {
                    var measured = runner.Evaluate(own[i], objective, totals);
                    loss += measured.Loss;
                    for (var s = 0; s < sums.Length; s++)
                    {
                        sums[s] += measured.Sums[s];
                    }
                });

                sum += loss * batch.Samples;
                samples += batch.Samples;
                weighed += batch.TrainedTokens > 0 ? batch.Samples : 0;
                batches += batch.Samples > 0 ? 1 : 0;
            }
        }

        var all = mesh.Sum("the sum of evaluation losses", [sum, samples, batches, weighed, .. sums]);
        var evaluated = new Evaluated(0, 0, 0, null, watch.Elapsed.TotalSeconds, (int)all[1], (int)all[2]);
        return all[3] == 0 ? evaluated : evaluated with { Loss = all[0] / all[3], Metrics = objective.Metrics(all.AsSpan(4)) };
    }
}
