namespace Fovea.Models.Grids;

/// <summary>How a vision tower cuts images.</summary>
/// <param name="Size">Pixels a side of a patch.</param>
/// <param name="Frames">Pictures of a patch.</param>
/// <param name="Channels">Values of a pixel.</param>
/// <param name="Merge">Patches a side that become one token of the language model.</param>
internal readonly record struct PatchShape(int Size, int Frames, int Channels, int Merge)
{
    /// <summary>Values of one flattened patch: channels x frames x height x width.</summary>
    public int Length => Channels * Frames * Size * Size;
}
