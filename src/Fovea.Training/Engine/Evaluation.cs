using System.Diagnostics;
using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Runs.Events;

namespace Fovea.Training.Engine;

/// <summary>
/// The loss on held-out samples: the mean of the batches' means, weighed by samples, as Transformers computes it; besides, over all their trained tokens,
/// the mean loss, its exponential, and the share of tokens that had the largest logit. A batch without a trained token has no loss and is in no mean.
/// </summary>
public static class Evaluation
{
    /// <param name="pipeline">Delivers one evaluation batch of this rank a step, planned with <see cref="LossReduction.Mean"/>.</param>
    public static Evaluated Run(StepRunner runner, DataPipeline pipeline, Mesh mesh, Division division, int step, int totalSteps, double epoch, bool final)
    {
        var watch = Stopwatch.StartNew();
        var (sum, samples, batches, weighed) = (0.0, 0L, 0L, 0L);
        var (tokenLosses, tokens, hits) = (0.0, 0L, 0L);
        while (pipeline.TryNext(out var batch))
        {
            using (batch)
            {
                var loss = 0.0;
                var own = batch.MicroBatches.Where(micro => micro.LossIndex.Length > 0).ToList();
                var passes = division.Agree([.. own.Select(runner.RunsVision)], learns: false);
                for (var i = 0; i < passes.Count; i++)
                {
                    division.Begin(passes[i]);
                    if (i < own.Count)
                    {
                        var result = runner.Evaluate(own[i]);
                        loss += result.Loss;
                        tokenLosses += result.TokenLosses.Sum(l => (double)l);
                        tokens += result.TokenLosses.Length;
                        hits += result.Hits;
                    }

                    division.End();
                }

                sum += loss * batch.Samples;
                samples += batch.Samples;
                weighed += batch.TrainedTokens > 0 ? batch.Samples : 0;
                batches += batch.Samples > 0 ? 1 : 0;
            }
        }

        var all = mesh.Sum("the sum of evaluation losses", sum, samples, batches, tokenLosses, tokens, hits, weighed);
        var measured = new Evaluated(step, totalSteps, epoch, null, watch.Elapsed.TotalSeconds, (int)all[1], (int)all[2]) { Final = final };
        return all[4] == 0 ? measured : measured with
        {
            Loss = all[0] / all[6],
            Metrics = new Dictionary<string, double>
            {
                ["token_loss"] = all[3] / all[4],
                ["perplexity"] = Math.Exp(all[3] / all[4]),
                ["token_accuracy"] = all[5] / all[4],
            },
        };
    }
}
