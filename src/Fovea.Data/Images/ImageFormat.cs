namespace Fovea.Data.Images;

/// <summary>The file formats that can be read.</summary>
public enum ImageFormat
{
    Jpeg,
    Png,
    Webp,
    Gif,
}
