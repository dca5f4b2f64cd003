namespace Fovea.Data.Images;

/// <summary>The file formats that can be read.</summary>
internal enum ImageFormat
{
    Jpeg,
    Png,
    Webp,
    Gif,
}
