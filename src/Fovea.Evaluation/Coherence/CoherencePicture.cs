using SkiaSharp;

namespace Fovea.Evaluation.Coherence;

/// <summary>Draws one coloured shape on light ground, the same pixels everywhere.</summary>
internal static class CoherencePicture
{
    /// <summary>Width and height in pixels.</summary>
    internal const int Side = 112;

    private const int Samples = 4;
    private const byte Ground = 242;

    public static IReadOnlyList<string> Colours { get; } = ["red", "green", "blue", "yellow", "purple", "orange"];

    public static IReadOnlyList<string> Shapes { get; } = ["circle", "square", "triangle", "cross"];

    private static readonly (byte R, byte G, byte B)[] Paints =
        [(214, 40, 40), (42, 157, 63), (38, 84, 200), (245, 208, 32), (125, 50, 170), (245, 130, 31)];

    /// <summary>The picture as a PNG.</summary>
    /// <param name="shape">Place in <see cref="Shapes"/>.</param>
    /// <param name="colour">Place in <see cref="Colours"/>.</param>
    /// <param name="x">Centre of the shape, in parts of the side.</param>
    /// <param name="radius">In parts of the side.</param>
    public static MediaSource Draw(int shape, int colour, double x, double y, double radius, string name)
    {
        var pixels = new byte[Side * Side * 4];
        var paint = Paints[colour];
        for (var at = 0; at < Side * Side; at++)
        {
            var covered = 0;
            for (var sample = 0; sample < Samples * Samples; sample++)
            {
                var px = ((at % Side) + ((sample % Samples) + 0.5) / Samples) / Side;
                var py = ((at / Side) + ((sample / Samples) + 0.5) / Samples) / Side;
                covered += Holds(shape, (px - x) / radius, (py - y) / radius) ? 1 : 0;
            }

            (pixels[at * 4], pixels[(at * 4) + 1], pixels[(at * 4) + 2], pixels[(at * 4) + 3]) =
                (Blend(paint.R, covered), Blend(paint.G, covered), Blend(paint.B, covered), 255);
        }

        using var image = SKImage.FromPixelCopy(new SKImageInfo(Side, Side, SKColorType.Rgba8888, SKAlphaType.Opaque), pixels, Side * 4);
        using var png = image.Encode(SKEncodedImageFormat.Png, 100);
        return MediaSource.FromBytes(png.ToArray(), name);
    }

    private static byte Blend(int paint, int covered) => (byte)(Ground + ((paint - Ground) * covered / (Samples * Samples)));

    /// <summary>Whether the shape around the origin, at most 1 wide to each side, holds a point; y points down.</summary>
    private static bool Holds(int shape, double x, double y) => shape switch
    {
        0 => (x * x) + (y * y) <= 1,
        1 => Math.Max(Math.Abs(x), Math.Abs(y)) <= 0.85,
        2 => y <= 0.75 && 1.6 * Math.Abs(x) <= y + 0.95,
        _ => Math.Min(Math.Abs(x), Math.Abs(y)) <= 0.3 && Math.Max(Math.Abs(x), Math.Abs(y)) <= 0.95,
    };
}
