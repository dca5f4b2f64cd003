namespace Fovea.Distributed;

/// <summary>Weights that are brought together at one time, when the stretch of the model runs that needs them.</summary>
/// <param name="Name">As the block policy is told.</param>
/// <param name="Path">The path of its weights in the ledger.</param>
public sealed record GatherUnit(string Name, string Path)
{
    /// <summary>Its backward needs no weights (a lookup of embeddings).</summary>
    public bool IsLookup { get; init; }

    /// <summary>It does not run for text alone.</summary>
    public bool NeedsImages { get; init; }
}
