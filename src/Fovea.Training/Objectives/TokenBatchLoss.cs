using Fovea.Tensors;

namespace Fovea.Training.Objectives;

/// <summary>A loss over tokens, with the cross-entropy of each.</summary>
/// <param name="TokenLosses">fp32 cross-entropy of each trained token [L], in the order of the batch's loss index.</param>
internal sealed record TokenBatchLoss(Tensor Value, Tensor[] Roots, Tensor[] Gradients, Tensor TokenLosses)
    : BatchLoss(Value, Roots, Gradients);
