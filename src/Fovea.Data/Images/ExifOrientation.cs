namespace Fovea.Data.Images;

/// <summary>
/// What to do with the EXIF orientation tag. <see cref="Apply"/> shows the picture upright, as viewers do.
/// <see cref="Ignore"/> keeps the stored rows, as PIL's <c>Image.open</c> does and hence LLaMA-Factory's trainer.
/// </summary>
internal enum ExifOrientation
{
    Apply,
    Ignore,
}
