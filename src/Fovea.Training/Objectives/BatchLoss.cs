using Fovea.Tensors;

namespace Fovea.Training.Objectives;

/// <summary>The loss of one micro-batch, with the places where its backward pass begins.</summary>
/// <param name="Value">The micro-batch's part of the step's loss, fp32 without dimensions, on the device.</param>
/// <param name="Roots">Tensors of the graph that the loss was computed from; empty where nothing upstream is trainable.</param>
/// <param name="Gradients">The gradient of the loss with respect to each root, multiplied by the runner's loss scale.</param>
internal record BatchLoss(Tensor Value, Tensor[] Roots, Tensor[] Gradients);
