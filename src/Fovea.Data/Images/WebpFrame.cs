namespace Fovea.Data.Images;

/// <summary>The first frame of a WebP file: its VP8 or VP8L chunk (offset and length in bytes) and its place on the canvas in pixels.</summary>
internal sealed record WebpFrame(long Offset, int Length, int X, int Y, int Width, int Height);
