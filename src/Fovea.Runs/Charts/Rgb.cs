namespace Fovea.Runs.Charts;

/// <summary>A colour, 8 bits a channel.</summary>
internal readonly record struct Rgb(byte R, byte G, byte B)
{
    /// <summary>Six hexadecimal digits after a hash, as in SVG.</summary>
    public override string ToString() => $"#{R:x2}{G:x2}{B:x2}";
}
