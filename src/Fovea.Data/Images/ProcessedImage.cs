namespace Fovea.Data.Images;

/// <summary>
/// A picture as the vision tower takes it: <paramref name="Patches"/> is [Grid.Patches, channels x frames x patch x patch] in the tower's order.
/// </summary>
public sealed record ProcessedImage(ImageGrid Grid, float[] Patches)
{
    /// <summary>Where the picture is cut besides: its cells, row by row.</summary>
    public IReadOnlyList<ProcessedImage> Cells { get; init; } = [];

    /// <summary>Of cells.</summary>
    public int Columns { get; init; }
}
