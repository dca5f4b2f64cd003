namespace Fovea.Data.Images;

/// <summary>The first frame of a GIF: its place on the canvas in pixels, and where its packed pixels begin in the file.</summary>
internal sealed record GifFrame(int X, int Y, int Width, int Height, bool Interlaced, int CodeBits, long Offset)
{
    /// <summary>Three bytes an entry; null where indices are greys, without a palette or with one that is a ramp.</summary>
    public byte[]? Palette { get; init; }

    /// <summary>PIL opens it as grey, which it does not resize by nearest neighbour.</summary>
    public bool Grey { get; init; }

    /// <summary>The palette index shown where the frame does not reach.</summary>
    public int Background { get; init; }
}
