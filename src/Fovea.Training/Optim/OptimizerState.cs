using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>One tensor of an optimizer's state.</summary>
/// <param name="Name">Of the weight and of what it is: <c>WEIGHT.exp_avg</c>.</param>
/// <param name="Part">The elements it is about.</param>
/// <param name="Value">One number an element, or a single one.</param>
internal sealed record OptimizerState(string Name, ParameterShard Part, Tensor Value)
{
    /// <summary>Whether it is a single number for all elements.</summary>
    public bool IsCount { get; init; }
}
