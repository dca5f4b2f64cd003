using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>How the tokens of one forward pass attend: a packed batch in training, a key/value cache in generation.</summary>
internal interface IAttentionPlan
{
    /// <param name="layer">Which layer asks, from 0.</param>
    /// <param name="q_THD">Queries of the tokens of this pass.</param>
    /// <param name="k_TGD">Their keys.</param>
    /// <param name="v_TGD">Their values.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <returns>[T, H * D]</returns>
    Tensor Attend(int layer, Tensor q_THD, Tensor k_TGD, Tensor v_TGD, double scale);
}
