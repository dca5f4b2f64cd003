namespace Fovea.Runs.Charts;

/// <summary>
/// Draws a chart into RGB pixels. Lines are anti-aliased by distance: a pixel's coverage falls from 1 to 0 over one pixel around the
/// line's edge, and the largest coverage of all segments counts, so joints and crossings are painted once.
/// </summary>
internal sealed class PixelCanvas : ICanvas
{
    private readonly float[] coverage;

    public PixelCanvas(int width, int height, Rgb background)
    {
        (Width, Height) = (width, height);
        Pixels = new byte[width * height * 3];
        coverage = new float[width * height];
        for (var i = 0; i < Pixels.Length; i += 3)
        {
            (Pixels[i], Pixels[i + 1], Pixels[i + 2]) = (background.R, background.G, background.B);
        }
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>Height x width x 3 bytes, row-major.</summary>
    public byte[] Pixels { get; }

    public void Fill(double x, double y, double width, double height, Rgb colour, double alpha = 1)
    {
        for (var row = Math.Max(0, (int)Math.Floor(y)); row < Math.Min(Height, (int)Math.Ceiling(y + height)); row++)
        {
            var rowPart = Math.Min(row + 1, y + height) - Math.Max(row, y);
            for (var column = Math.Max(0, (int)Math.Floor(x)); column < Math.Min(Width, (int)Math.Ceiling(x + width)); column++)
            {
                var columnPart = Math.Min(column + 1, x + width) - Math.Max(column, x);
                Blend((row * Width) + column, colour, alpha * rowPart * columnPart);
            }
        }
    }

    public void Polyline(IReadOnlyList<(double X, double Y)> points, Rgb colour, double width, double alpha = 1) => Strokes([points], colour, width, alpha);

    public void Text(double x, double y, string text, double size, Rgb colour, TextAnchor anchor = TextAnchor.Start, bool upward = false, bool bold = false)
    {
        var shift = anchor switch { TextAnchor.Middle => -Measure(text, size) / 2, TextAnchor.End => -Measure(text, size), _ => 0 };
        var strokes = StrokeFont.Layout(text, size).Select(stroke => (IReadOnlyList<(double X, double Y)>)
            [.. stroke.Select(p => upward ? (x + p.Y, y - shift - p.X) : (x + shift + p.X, y + p.Y))]);
        Strokes([.. strokes], colour, size * (bold ? 0.125 : 0.092), 1);
    }

    public double Measure(string text, double size) => StrokeFont.Width(text, size);

    private void Strokes(IReadOnlyList<IReadOnlyList<(double X, double Y)>> lines, Rgb colour, double width, double alpha)
    {
        var (left, top, right, bottom) = (Width, Height, -1, -1);
        foreach (var line in lines)
        {
            for (var i = 0; i < Math.Max(1, line.Count - 1); i++)
            {
                var (l, t, r, b) = Cover(line[i], line[Math.Min(i + 1, line.Count - 1)], width / 2);
                (left, top, right, bottom) = (Math.Min(left, l), Math.Min(top, t), Math.Max(right, r), Math.Max(bottom, b));
            }
        }

        for (var row = top; row <= bottom; row++)
        {
            for (var at = (row * Width) + left; at <= (row * Width) + right; at++)
            {
                if (coverage[at] > 0)
                {
                    Blend(at, colour, alpha * coverage[at]);
                    coverage[at] = 0;
                }
            }
        }
    }

    /// <summary>Raises the coverage around one segment and returns the pixels touched (inclusive).</summary>
    private (int Left, int Top, int Right, int Bottom) Cover((double X, double Y) from, (double X, double Y) to, double radius)
    {
        var reach = radius + 1;
        var left = Math.Max(0, (int)Math.Floor(Math.Min(from.X, to.X) - reach));
        var right = Math.Min(Width - 1, (int)Math.Ceiling(Math.Max(from.X, to.X) + reach));
        var top = Math.Max(0, (int)Math.Floor(Math.Min(from.Y, to.Y) - reach));
        var bottom = Math.Min(Height - 1, (int)Math.Ceiling(Math.Max(from.Y, to.Y) + reach));
        var (dx, dy) = (to.X - from.X, to.Y - from.Y);
        var length = (dx * dx) + (dy * dy);
        for (var row = top; row <= bottom; row++)
        {
            for (var column = left; column <= right; column++)
            {
                var (px, py) = (column + 0.5 - from.X, row + 0.5 - from.Y);
                var along = length > 0 ? Math.Clamp(((px * dx) + (py * dy)) / length, 0, 1) : 0;
                var distance = Math.Sqrt(Math.Pow(px - (along * dx), 2) + Math.Pow(py - (along * dy), 2));
                // Lines thinner than a pixel get lighter instead of vanishing.
                var coverage = (float)(Math.Clamp(radius + 0.5 - distance, 0, 1) * Math.Min(1, 2 * radius));
                var at = (row * Width) + column;
                this.coverage[at] = Math.Max(this.coverage[at], coverage);
            }
        }

        return (left, top, right, bottom);
    }

    private void Blend(int pixel, Rgb colour, double alpha)
    {
        var at = pixel * 3;
        Pixels[at] = Mix(Pixels[at], colour.R, alpha);
        Pixels[at + 1] = Mix(Pixels[at + 1], colour.G, alpha);
        Pixels[at + 2] = Mix(Pixels[at + 2], colour.B, alpha);
    }

    private static byte Mix(byte below, byte above, double alpha) => (byte)Math.Round(below + ((above - below) * Math.Clamp(alpha, 0, 1)));
}
