namespace Fovea.Tensors;

/// <summary>What a new run multiplies with on this machine, and why.</summary>
/// <param name="Reasons">One line for each element type that was asked for.</param>
internal sealed record ProductDecision(ProductChoice Choice, IReadOnlyList<string> Reasons);
