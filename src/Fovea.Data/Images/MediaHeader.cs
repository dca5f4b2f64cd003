namespace Fovea.Data.Images;

/// <summary>What the first bytes of a picture say, without its pixels: its size as stored, in pixels, and its EXIF orientation.</summary>
/// <param name="Name">What messages call it.</param>
/// <param name="Width">At least 1.</param>
/// <param name="Height">At least 1.</param>
/// <param name="Upright">The size as it is to be seen; other than the stored one where the orientation lays the picture on its side.</param>
internal sealed record MediaHeader(string Name, int Width, int Height, (int Width, int Height) Upright)
{
    /// <summary>The size of the picture read this way.</summary>
    public (int Width, int Height) Size(ExifOrientation orientation) => orientation == ExifOrientation.Apply ? Upright : (Width, Height);
}
