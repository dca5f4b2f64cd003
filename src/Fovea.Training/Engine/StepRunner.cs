using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Training.Engine;

/// <summary>Forward and backward of packed micro-batches: the same path for training and evaluation.</summary>
/// <param name="visionLearns">Whether gradients reach the vision side; otherwise it runs without a graph.</param>
/// <param name="dropout">Told which tokens come; null without dropout.</param>
/// <param name="cache">Keeps features of a frozen vision side; null to compute them each time.</param>
/// <param name="plan">Decides what blocks keep, before each micro-batch that trains; null to leave that as it is.</param>
public sealed class StepRunner(
    VisionLanguageModel model, bool visionLearns, DropoutStream? dropout = null, VisionFeatureCache? cache = null, Action<PackedBatch>? plan = null)
{
    /// <summary>Forward and backward; gradients are accumulated in the weights.</summary>
    public MicroBatchResult Train(PackedBatch batch, int step)
    {
        if (dropout is not null)
        {
            var (samples, tokens) = RowKeys(batch);
            dropout.Begin(step, samples, tokens);
        }

        using var scope = TensorScope.Open("micro-batch");
        if (batch.LossIndex.Length == 0)
        {
            return new MicroBatchResult(0, []);
        }

        plan?.Invoke(batch);
        var hidden_LE = TrainedHidden(batch);
        var (loss, tokenLosses, gradient) = Loss(hidden_LE, batch);
        if (gradient is not null)
        {
            using var span = Profile.Open("backward");
            Autograd.Backward(hidden_LE, gradient);
        }

        return new MicroBatchResult(loss, tokenLosses);
    }

    /// <summary>Forward only.</summary>
    public MicroBatchResult Evaluate(PackedBatch batch)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("micro-batch");
        if (batch.LossIndex.Length == 0)
        {
            return new MicroBatchResult(0, []);
        }

        var (loss, tokenLosses, _) = Loss(TrainedHidden(batch), batch);
        return new MicroBatchResult(loss, tokenLosses);
    }

    private static (long[] Samples, int[] Tokens) RowKeys(PackedBatch batch)
    {
        var samples = new long[batch.Tokens];
        var tokens = new int[batch.Tokens];
        for (var s = 0; s < batch.Samples; s++)
        {
            for (var i = batch.CuSeqlens[s]; i < batch.CuSeqlens[s + 1]; i++)
            {
                samples[i] = batch.SampleIndices[s];
                tokens[i] = i - batch.CuSeqlens[s];
            }
        }

        return (samples, tokens);
    }

    /// <summary>Final hidden states at the positions that predict a trained token [L, E].</summary>
    private Tensor TrainedHidden(PackedBatch batch)
    {
        using var span = Profile.Open("forward");
        var input = model.Prepare(batch);
        var features = Features(batch, input);
        var trained = CreateOps.From(batch.LossIndex).To(model.Device);

        // Dropout masks every row that it was told of.
        return dropout is null || !Autograd.IsRecording
            ? model.Hidden(input with { Wanted = trained }, features)
            : model.Hidden(input, features).IndexSelect(0, trained);
    }

    private Tensor? Features(PackedBatch batch, ModelInput input)
    {
        if (visionLearns)
        {
            return model.VisionFeatures(input);
        }

        using var grad = Autograd.NoGrad();
        return VisionFeatureCache.Features(model, batch, input, cache);
    }

    private (double Loss, float[] TokenLosses, Tensor? Gradient) Loss(Tensor hidden_LE, PackedBatch batch)
    {
        using var span = Profile.Open("head and loss");
        return LinearCrossEntropy.Run(
            hidden_LE, model.Head, CreateOps.From(batch.Targets).To(model.Device), CreateOps.From(batch.LossWeight).To(model.Device));
    }
}
