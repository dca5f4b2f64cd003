using System.Diagnostics;
using Fovea.Data.Packing;
using Fovea.Runs.Events;

namespace Fovea.Training.Engine;

/// <summary>The loss on held-out samples: the mean of the batches' means, weighed by samples, as Transformers computes it.</summary>
public static class Evaluation
{
    /// <param name="pipeline">Delivers one evaluation batch a step, planned with <see cref="LossReduction.Mean"/>.</param>
    public static Evaluated Run(StepRunner runner, DataPipeline pipeline, int step, int totalSteps, double epoch, bool final)
    {
        var watch = Stopwatch.StartNew();
        var (sum, samples, batches) = (0.0, 0, 0);
        var (tokenLosses, tokens) = (0.0, 0L);
        while (pipeline.TryNext(out var batch))
        {
            using (batch)
            {
                var loss = 0.0;
                foreach (var micro in batch.MicroBatches)
                {
                    var result = runner.Evaluate(micro);
                    loss += result.Loss;
                    tokenLosses += result.TokenLosses.Sum(l => (double)l);
                    tokens += result.TokenLosses.Length;
                }

                sum += loss * batch.Samples;
                samples += batch.Samples;
                batches++;
            }
        }

        return new Evaluated(step, totalSteps, epoch, sum / Math.Max(1, samples), watch.Elapsed.TotalSeconds, samples, batches)
        {
            Final = final,
            Metrics = new Dictionary<string, double> { ["token_loss"] = tokens == 0 ? 0 : tokenLosses / tokens },
        };
    }
}
