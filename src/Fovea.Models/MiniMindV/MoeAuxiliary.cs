namespace Fovea.Models.MiniMindV;

/// <summary>How the auxiliary loss of a mixture of experts is computed in training (<c>moe_aux</c>).</summary>
internal enum MoeAuxiliary
{
    /// <summary>Over the tokens there are.</summary>
    Tokens,

    /// <summary>As the model's own code does: samples are padded to <c>cutoff_len</c> and the padding counts; rounding of its own is repeated.</summary>
    Original,
}
