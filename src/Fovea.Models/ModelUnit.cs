using Fovea.Nn;

namespace Fovea.Models;

/// <summary>
/// Weights that are needed at one time, and at no other: what is gathered together when parameters are divided over ranks.
/// </summary>
/// <param name="Name">As <see cref="BlockPolicy"/> is told when it runs.</param>
/// <param name="Path">The path of its weights in the ledger.</param>
/// <param name="Part">Units of the vision side do not run for text.</param>
public sealed record ModelUnit(string Name, string Path, ModelPart Part)
{
    /// <summary>Rows are only looked up in it: its backward needs no weights.</summary>
    public bool IsLookup { get; init; }
}
