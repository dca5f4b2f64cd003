namespace Fovea;

/// <summary>What the numbers of an <see cref="ObjectPlace"/> count.</summary>
public enum CoordinateUnit
{
    /// <summary>Pixels of the image as its file has it, turned upright; ms-swift's <c>real</c>.</summary>
    Pixels,

    /// <summary>Parts of the image's width and height, from 0 to 1; ms-swift's <c>norm1</c>.</summary>
    Shares,

    /// <summary>Thousandths of the image's width and height, from 0 to 1000.</summary>
    Thousandths,
}
