namespace Fovea.Data.Images;

/// <summary>
/// A picture, or one part of it, as the vision tower takes it: <paramref name="Patches"/> is [Grid.Patches, channels x frames x patch x patch] in the
/// tower's order.
/// </summary>
internal sealed record ProcessedImage(ImageGrid Grid, float[] Patches);
