namespace Fovea.Data.Images;

/// <summary>The first frame of a WebP file: its VP8 or VP8L chunk (offset and length in bytes) and its place on the canvas in pixels.</summary>
internal sealed record WebpFrame(long Offset, int Length, int X, int Y, int Width, int Height)
{
    /// <summary>The file is a single picture with opacity.</summary>
    public bool HasAlpha { get; init; }
}
