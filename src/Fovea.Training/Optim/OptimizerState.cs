using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>One tensor of an optimizer's state.</summary>
/// <param name="Name">Of the weight and of what it is: <c>WEIGHT.exp_avg</c>.</param>
/// <param name="Part">The elements it is about.</param>
/// <param name="Value">One number an element, or as many as it likes.</param>
internal sealed record OptimizerState(string Name, ParameterShard Part, Tensor Value)
{
    /// <summary>Whether it is about all elements together, such as a count, and saved as it is.</summary>
    public bool IsShared { get; init; }

    /// <summary>How many elements in a row of the weight each of its numbers is about; the part begins at a multiple of it.</summary>
    public long Block { get; init; } = 1;
}
