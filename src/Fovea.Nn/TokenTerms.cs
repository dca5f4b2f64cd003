using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// What a token's loss is beside or instead of its cross-entropy c = -log p: dynamic fine-tuning multiplies it by p without a gradient of that
/// (arXiv 2508.05629), and z-loss adds a part of the square of z, the logarithm of the sum of the exponentials of all logits (PaLM, arXiv 2204.02311).
/// The gradient by a row of logits is then a factor times that of cross-entropy, and something at the label: no logits are needed for either.
/// </summary>
/// <param name="Z">The part of z squared; 0 is none.</param>
/// <param name="Dynamic">Multiply by p.</param>
internal sealed record TokenTerms(double Z, bool Dynamic)
{
    private static readonly Operator IndexAddInPlaceOp = new("aten::index_add_");

    /// <summary>The terms; null where a token's loss is its cross-entropy.</summary>
    public static TokenTerms? Of(double z, bool dynamic) => z > 0 || dynamic ? new TokenTerms(z, dynamic) : null;

    /// <summary>The loss of each token, and its gradient by the logits as a factor of cross-entropy's and a number more at the label; all fp32 [L].</summary>
    /// <param name="losses_L">Cross-entropies.</param>
    /// <param name="hidden_LE">The rows from which they were computed.</param>
    public (Tensor Losses, Tensor Factors, Tensor AtLabel) Shape(Tensor losses_L, Tensor hidden_LE, Tensor weight_VE, Tensor targets_L)
    {
        var picked = hidden_LE.To(DType.F32).Mul(weight_VE.IndexSelect(0, targets_L).To(DType.F32)).Sum(1);
        var z = losses_L.Add(picked);
        var (squared, twice) = (z.Mul(z).Mul(Z), z.Mul(2 * Z));
        if (!Dynamic)
        {
            return (losses_L.Add(squared), twice.Add(1), twice);
        }

        var p = losses_L.Neg().Exp();
        return (losses_L.Mul(p).Add(squared), p.Add(twice), twice);
    }

    /// <summary>The gradient of hidden_LE by these losses, from that by cross-entropies.</summary>
    public static Tensor HiddenGradient(Tensor gradient, Tensor factors, Tensor atLabel, Tensor weight_VE, Tensor targets_L, Tensor weights_L) =>
        gradient.To(DType.F32).Mul(factors.Unsqueeze(1))
            .Add(weight_VE.IndexSelect(0, targets_L).To(DType.F32).Mul(atLabel.Mul(weights_L).Unsqueeze(1))).To(gradient.DType);

    /// <summary>Adds to the head's gradient what stands at the labels.</summary>
    public static void AddAtLabels(Tensor headGradient, Tensor hidden_LE, Tensor atLabel, Tensor targets_L, Tensor weights_L) =>
        IndexAddInPlaceOp.Run(headGradient, 0, targets_L, hidden_LE.To(DType.F32).Mul(atLabel.Mul(weights_L).Unsqueeze(1)).To(headGradient.DType));
}
