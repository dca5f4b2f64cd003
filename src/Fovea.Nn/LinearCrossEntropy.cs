using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// The loss at trained positions only, in chunks: logits [chunk, V] exist one chunk at a time, and with gradients on each chunk's backward runs
/// at once, so that neither [L, V] logits nor their gradients are ever held.
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
        var backward = Autograd.IsRecording && (hidden_LE.RequiresGrad || head.Value.RequiresGrad);
        var rows = hidden_LE.Size(0);
        var chunk = Math.Clamp(ChunkBytes / (head.Shape[0] * sizeof(float)), 16, 4096);
        var detached = hidden_LE.Detach();
        var gradient = backward && hidden_LE.RequiresGrad ? CreateOps.Empty(hidden_LE.Shape, hidden_LE.DType, hidden_LE.Device) : null;
        var losses = new float[rows];
        var total = 0.0;
        for (var start = 0L; start < rows; start += chunk)
        {
            using var scope = TensorScope.Open("block");
            var end = Math.Min(rows, start + chunk);
            var part = detached.Slice(0, start, end).Detach();
            part.RequiresGrad = gradient is not null;
            var tokens = part.Linear(head.Use()).To(DType.F32).CrossEntropy(targets_L.Slice(0, start, end));
            var sum = tokens.Mul(weights_L.Slice(0, start, end)).Sum();
            if (backward)
            {
                Autograd.Backward(sum);
                gradient?.Slice(0, start, end).Copy_(part.Grad()!);
            }

            total += sum.Item();
            tokens.Detach().ToArray<float>().CopyTo(losses, start);
        }

        return (total, losses, gradient);
    }
}
