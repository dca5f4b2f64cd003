using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// What label smoothing adds to cross-entropy: with a part s of the label's weight spread over all V tokens the loss is (1 - s) x -log p(label) + s x the mean
/// of -log p over V. Normalisers cancel in the difference of the two, which leaves s x (logit of the label - mean of all logits): a product of the hidden state
/// with one vector, for which no logits are needed.
/// </summary>
internal static class LabelSmoothing
{
    private static readonly Operator IndexAddInPlaceOp = new("aten::index_add_");

    // Rows of the head that are widened to fp32 at a time.
    private const long Rows = 8192;

    /// <summary>Adds it to what <see cref="LinearCrossEntropy.Queue"/> gave.</summary>
    /// <param name="part">s, above 0.</param>
    /// <returns>The weighted sum and the gradient of hidden_LE; the losses of single tokens stay cross-entropies.</returns>
    public static (Tensor Loss, Tensor? HiddenGradient) Add(
        double part, Tensor hidden_LE, Parameter head, Tensor targets_L, Tensor weights_L, Tensor loss, Tensor? gradient)
    {
        var headLearns = Autograd.IsRecording && head.Value.RequiresGrad;
        using var grad = Autograd.NoGrad();
        using var held = head.Open();
        using var scope = TensorScope.Open("block");
        var (weight, hidden) = (head.Use(), hidden_LE.Detach().To(DType.F32));
        var difference = weight.IndexSelect(0, targets_L).To(DType.F32).Sub(Mean(weight));
        var spread = weights_L.Mul(part).Unsqueeze(1);
        var total = scope.Release(loss.Add(hidden.Mul(difference).Mul(spread).Sum()));
        var widened = gradient is null ? null : scope.Release(gradient.Add(difference.Mul(spread).To(gradient.DType)));
        if (headLearns)
        {
            var rows = hidden.Mul(spread).To(head.Value.DType);
            var gradients = head.Value.Grad()!; // cross-entropy has left one
            gradients.Add_(rows.Sum(0, keepDim: true), -1.0 / weight.Size(0));
            IndexAddInPlaceOp.Run(gradients, 0, targets_L, rows);
        }

        return (total, widened);
    }

    private static Tensor Mean(Tensor weight_VE)
    {
        var sum = CreateOps.Zeros([weight_VE.Size(1)], DType.F32, weight_VE.Device);
        for (var start = 0L; start < weight_VE.Size(0); start += Rows)
        {
            using var scope = TensorScope.Open("block");
            sum.Add_(weight_VE.Slice(0, start, Math.Min(weight_VE.Size(0), start + Rows)).To(DType.F32).Sum(0));
        }

        return sum.Mul(1.0 / weight_VE.Size(0));
    }
}
