using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>How the tokens of one forward pass see one another: a packed batch in training, caches and states in generation.</summary>
/// <remarks>
/// Suffixes: T tokens, C columns, H query or value heads, G key/value heads, D head size, V value size of a recurrence; in a weight of
/// a convolution K is its length.
/// </remarks>
internal interface ISequencePlan
{
    /// <param name="layer">Which layer asks, from 0.</param>
    /// <param name="q_THD">Queries of the tokens of this pass.</param>
    /// <param name="k_TGD">Their keys.</param>
    /// <param name="v_TGD">Their values.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <returns>[T, H * D]</returns>
    Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale);

    /// <summary>silu of the causal convolution of every column with its own weight; zeros stand before a sequence.</summary>
    /// <param name="layer">Which layer asks, from 0.</param>
    /// <param name="shape">Which heads the columns belong to.</param>
    /// <returns>[T, C], for <see cref="Recur"/>; where ranks split the tokens, the columns of this rank's heads, of all tokens.</returns>
    Tensor Convolve(int layer, GatedDeltaShape shape, Tensor x_TC, Tensor weight_CK);

    /// <summary>The gated delta rule along each sequence, from a state of zeros (<see cref="RecurrentOps.DeltaRule"/>).</summary>
    /// <param name="layer">Which layer asks, from 0.</param>
    /// <param name="mixed_TC">
    /// What <see cref="Convolve"/> gave: queries, keys and values (<see cref="GatedDeltaShape.Parts"/>). The rule brings queries and keys to length 1 and
    /// divides queries by the root of K; neighbouring values share a key.
    /// </param>
    /// <param name="g_TH">Logarithms of what stays of the state, fp32.</param>
    /// <param name="beta_TH">How much of a value is written, fp32.</param>
    /// <returns>[T, H, V]</returns>
    Tensor Recur(int layer, GatedDeltaShape shape, Tensor mixed_TC, Tensor g_TH, Tensor beta_TH);

    /// <summary>The sum of each number over the ranks that split the tokens of this pass.</summary>
    /// <param name="what">For messages.</param>
    double[] Total(string what, double[] values) => values;
}
