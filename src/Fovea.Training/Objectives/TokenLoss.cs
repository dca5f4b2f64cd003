using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Training.Objectives;

/// <summary>
/// Cross-entropy of the labelled tokens, averaged as <see cref="LossReduction"/> says, plus the losses that arise inside the model, such as those that balance
/// a router's experts.
/// </summary>
/// <param name="smoothing">How much of a label's weight is spread over the vocabulary (<see cref="LabelSmoothing"/>).</param>
/// <param name="terms">What a token's loss is instead of its cross-entropy; null for that.</param>
/// <param name="accuracy">Measure the accuracy of each sample too, as LLaMA-Factory's <c>compute_accuracy</c>.</param>
internal sealed class TokenLoss(bool accuracy = false, double smoothing = 0, TokenTerms? terms = null) : IObjective
{
    private const string Accuracy = "accuracy";

    public IReadOnlyList<string> Sums { get; } = accuracy ? ["token losses", "tokens", "hits", "accuracies", "samples"] : ["token losses", "tokens", "hits"];

    /// <summary>The loss that a configuration asks for.</summary>
    public static TokenLoss Of(TrainConfig config) =>
        new(config.Run.ComputeAccuracy, config.Tuning.LabelSmoothingFactor, TokenTerms.Of(config.Tuning.ZLoss, config.Tuning.UseDftLoss));

    /// <summary>What <see cref="Metrics"/> gives.</summary>
    public static IEnumerable<string> MetricNames(bool accuracy)
    {
        string[] always = ["token_loss", "perplexity", "token_accuracy"];
        return accuracy ? always.Append(Accuracy) : always;
    }

    public bool Uses(PackedBatch batch) => batch.LossIndex.Length > 0;

    public BatchLoss Loss(StepRunner runner, PreparedBatch batch, StepTotals totals)
    {
        var side = new SideLosses();
        var hidden_LE = runner.Hidden(batch, side);
        var (loss, tokenLosses, gradient) = OverTokens(runner, hidden_LE, batch, totals);
        var other = side.Close();
        var value = other is null ? loss : loss.Add(other.Detach());
        if (gradient is null)
        {
            return new TokenBatchLoss(value, [], [], tokenLosses);
        }

        return other is { RequiresGrad: true }
            ? new TokenBatchLoss(
                value, [hidden_LE, other], [gradient, CreateOps.Ones([], other.DType, other.Device).Mul(runner.Scale)], tokenLosses)
            : new TokenBatchLoss(value, [hidden_LE], [gradient], tokenLosses);
    }

    public BatchMeasure Measure(StepRunner runner, PreparedBatch batch, StepTotals totals)
    {
        var hidden_LE = runner.Hidden(batch);
        using var head = runner.Model.Head.Open();
        var (loss, tokenLosses, _) = OverTokens(runner, hidden_LE, batch, totals);
        var hits_L = LinearCrossEntropy.Hits(hidden_LE, runner.Model.Head, batch.Targets).ToArray<double>();
        var losses = tokenLosses.ToArray<float>();
        double[] sums = [losses.Sum(l => (double)l), losses.Length, hits_L.Sum()];
        return new TokenBatchMeasure(loss.Item(), accuracy ? [.. sums, .. OfSamples(batch.Batch, hits_L)] : sums, losses);
    }

    /// <summary>The mean over all trained tokens, its exponential, and the share of tokens that had the largest logit.</summary>
    public IReadOnlyDictionary<string, double> Metrics(ReadOnlySpan<double> sums)
    {
        var (losses, tokens, hits) = (sums[0], sums[1], sums[2]);
        if (tokens == 0)
        {
            return new Dictionary<string, double>();
        }

        var metrics = new Dictionary<string, double>
        {
            ["token_loss"] = losses / tokens,
            ["perplexity"] = Math.Exp(losses / tokens),
            ["token_accuracy"] = hits / tokens,
        };
        if (accuracy)
        {
            metrics.Add(Accuracy, sums[3] / sums[4]);
        }

        return metrics;
    }

    /// <summary>
    /// The factor of each trained token's cross-entropy in the loss of the step [L]: the token's own weight (<see cref="PackedBatch.LossWeights"/>) over the
    /// number of tokens, whatever they weigh, as in ms-swift.
    /// </summary>
    public static float[] Weights(PackedBatch batch, StepTotals totals)
    {
        var weights = Even(batch, totals);
        for (var i = 0; i < batch.LossWeights.Length; i++)
        {
            weights[i] *= batch.LossWeights[i];
        }

        return weights;
    }

    private static float[] Even(PackedBatch batch, StepTotals totals)
    {
        var weights = new float[batch.LossIndex.Length];
        if (totals.Reduction == LossReduction.Token)
        {
            Array.Fill(weights, (float)(1.0 / totals.TrainedTokens));
            return weights;
        }

        var sample = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            while (batch.LossIndex[i] >= batch.CuSeqlens[sample + 1])
            {
                sample++;
            }

            weights[i] = (float)(1.0 / ((double)batch.GroupTokens[sample] * totals.Means));
        }

        return weights;
    }

    /// <summary>The sum of the samples' shares of hits, and how many samples there are; those without a trained token have no share.</summary>
    private static double[] OfSamples(PackedBatch batch, double[] hits_L)
    {
        var (sum, samples, at) = (0.0, 0, 0);
        for (var sample = 0; sample < batch.Samples; sample++)
        {
            var first = at;
            while (at < hits_L.Length && batch.LossIndex[at] < batch.CuSeqlens[sample + 1])
            {
                at++;
            }

            sum += at > first ? hits_L[first..at].Sum() / (at - first) : 0;
            samples += at > first ? 1 : 0;
        }

        return [sum, samples];
    }

    private (Tensor Loss, Tensor TokenLosses, Tensor? Gradient) OverTokens(
        StepRunner runner, Tensor hidden_LE, PreparedBatch batch, StepTotals totals)
    {
        using var span = Profile.Open("head and loss");
        var weights = CreateOps.On(runner.Device, batch.OfTrained(Weights(batch.Batch, totals)));
        weights = runner.Scale == 1 ? weights : weights.Mul(runner.Scale);
        var (loss, tokenLosses, gradient) = LinearCrossEntropy.Queue(hidden_LE, runner.Model.Head, batch.Targets, weights, terms);
        if (smoothing > 0)
        {
            (loss, gradient) = LabelSmoothing.Add(smoothing, hidden_LE, runner.Model.Head, batch.Targets, weights, loss, gradient);
        }

        return (runner.Scale == 1 ? loss : loss.Mul(1 / runner.Scale), tokenLosses, gradient);
    }
}
