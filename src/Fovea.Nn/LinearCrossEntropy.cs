using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// The loss at trained positions only, in chunks: logits [chunk, V] exist one chunk at a time, and their gradient replaces them at once,
/// so that neither [L, V] logits nor their gradients are ever held.
/// </summary>
public static class LinearCrossEntropy
{
    private const long ChunkBytes = 64L << 20;

    /// <summary>Weighted sum of token losses, and the loss of each token.</summary>
    /// <param name="hidden_LE">Final hidden states of the positions that predict a trained token.</param>
    /// <param name="head">[V, E]; its gradient is accumulated when it learns.</param>
    /// <param name="targets_L">64-bit ids of the trained tokens.</param>
    /// <param name="weights_L">fp32 weight of each token in the loss of the whole step.</param>
    /// <returns>The weighted sum, the loss of each token, and the gradient of hidden_LE (null when grad is off or nothing upstream learns).</returns>
    public static (double Loss, float[] TokenLosses, Tensor? HiddenGradient) Run(Tensor hidden_LE, Parameter head, Tensor targets_L, Tensor weights_L)
    {
        var (loss, tokenLosses, gradient) = Queue(hidden_LE, head, targets_L, weights_L);
        return (loss.Item(), tokenLosses.ToArray<float>(), gradient);
    }

    /// <summary>As <see cref="Run"/>, with the results left on the device: nothing waits for it.</summary>
    /// <returns>The weighted sum (no dimensions) and the loss of each token [L], both fp32.</returns>
    public static (Tensor Loss, Tensor TokenLosses, Tensor? HiddenGradient) Queue(Tensor hidden_LE, Parameter head, Tensor targets_L, Tensor weights_L)
    {
        var hiddenLearns = Autograd.IsRecording && hidden_LE.RequiresGrad;
        var headLearns = Autograd.IsRecording && head.Value.RequiresGrad;
        using var grad = Autograd.NoGrad();
        using var held = head.Open();
        var rows = hidden_LE.Size(0);
        var weight = head.Use();
        var chunk = Math.Min(rows, ChunkOf(head, weight));
        var hidden = hidden_LE.Detach();
        var gradient = hiddenLearns ? CreateOps.Empty(hidden.Shape, hidden.DType, hidden.Device) : null;
        var headGradient = headLearns ? CreateOps.Zeros(head.Shape, head.Value.DType, weight.Device) : null;
        var losses = new Tensor[(rows + chunk - 1) / chunk];
        for (var i = 0; i < losses.Length; i++)
        {
            using var scope = TensorScope.Open("block");
            var (start, end) = (i * chunk, Math.Min(rows, (i + 1) * chunk));
            var part = hidden.Slice(0, start, end);
            var logits = part.Linear(weight);
            losses[i] = scope.Release(logits.CrossEntropyInPlace(targets_L.Slice(0, start, end), weights_L.Slice(0, start, end)));
            gradient?.Slice(0, start, end).Copy_(logits.Linear(weight.Transpose()));
            headGradient?.Add_(logits.Transpose().Linear(part.Transpose()).To(headGradient.DType));
        }

        if (headGradient is not null)
        {
            Accumulate(head.Value, headGradient);
        }

        var all = ShapeOps.Cat(losses);
        return (all.Mul(weights_L).Sum(), all, gradient);
    }

    /// <summary>How many targets have the largest logit, in chunks as the loss; one number on the device.</summary>
    public static Tensor Hits(Tensor hidden_LE, Parameter head, Tensor targets_L)
    {
        using var grad = Autograd.NoGrad();
        using var open = head.Open();
        var (rows, weight) = (hidden_LE.Size(0), head.Use());
        var chunk = Math.Min(rows, ChunkOf(head, weight));
        var hits = CreateOps.Zeros([], DType.F64, weight.Device);
        for (var start = 0L; start < rows; start += chunk)
        {
            using var scope = TensorScope.Open("block");
            var end = Math.Min(rows, start + chunk);
            var best = hidden_LE.Slice(0, start, end).Linear(weight).ArgMax(1);
            hits.Add_(best.IsEqual(targets_L.Slice(0, start, end)).Sum().To(DType.F64));
        }

        return hits;
    }

    private static long ChunkOf(Parameter head, Tensor weight) => Math.Clamp(ChunkBytes / (head.Shape[0] * weight.DType.Size()), 16, 4096);

    private static void Accumulate(Tensor leaf, Tensor gradient)
    {
        if (leaf.Grad() is { } earlier)
        {
            earlier.Add_(gradient);
        }
        else
        {
            leaf.SetGrad(gradient);
        }
    }
}
