namespace Fovea.Cli.Demo;

/// <summary>Draws one coloured shape of any size, place and turn on a grey, noisy, unevenly lit ground.</summary>
internal sealed class PictureArtist(int seed)
{
    /// <summary>Width and height in pixels: two image tokens of 28 pixels a side.</summary>
    internal const int Side = 56;

    private const int Samples = 3;
    private static readonly double[] Hues = [0, 30, 56, 125, 222, 287];

    private readonly Random random = new(seed);

    /// <returns>RGB, row-major.</returns>
    public byte[] Draw(DemoShape shape, DemoColour colour)
    {
        var radius = Between(15, 26);
        var (x, y) = (Between(radius, Side - radius), Between(radius, Side - radius));
        var turn = Between(-0.25, 0.25);
        var (sin, cos) = (Math.Sin(turn) / radius, Math.Cos(turn) / radius);
        var paint = Paint(Hues[(int)colour] + Between(-6, 6), Between(0.8, 1), Between(0.8, 1));
        var (light, slopeX, slopeY, grain) = (Between(35, 85), Between(-0.7, 0.7), Between(-0.7, 0.7), Between(4, 16));
        var pixels = new byte[Side * Side * 3];
        for (var row = 0; row < Side; row++)
        {
            for (var column = 0; column < Side; column++)
            {
                var covered = 0;
                var near = Math.Max(Math.Abs(column - x), Math.Abs(row - y)) <= radius + 1;
                for (var sample = 0; near && sample < Samples * Samples; sample++)
                {
                    var dx = column + ((sample % Samples) + 0.5) / Samples - x;
                    var dy = row + ((sample / Samples) + 0.5) / Samples - y;
                    covered += Holds(shape, (dx * cos) + (dy * sin), (dy * cos) - (dx * sin)) ? 1 : 0;
                }

                var part = covered / (double)(Samples * Samples);
                var ground = light + (slopeX * (column - (Side / 2))) + (slopeY * (row - (Side / 2)));
                for (var channel = 0; channel < 3; channel++)
                {
                    var value = ground + (part * (paint[channel] - ground)) + Between(-grain, grain);
                    pixels[(((row * Side) + column) * 3) + channel] = (byte)Math.Clamp(value, 0, 255);
                }
            }
        }

        return pixels;
    }

    public void Save(string path, DemoShape shape, DemoColour colour) => PngWriter.Write(path, Side, Side, Draw(shape, colour));

    /// <summary>Whether the shape of radius 1 around the origin holds a point; y points down.</summary>
    private static bool Holds(DemoShape shape, double x, double y) => shape switch
    {
        DemoShape.Circle => (x * x) + (y * y) <= 0.72,
        DemoShape.Square => Math.Max(Math.Abs(x), Math.Abs(y)) <= 0.72,
        DemoShape.Triangle => y <= 0.5 && Math.Sqrt(3) * Math.Abs(x) <= y + 1,
        _ => Star(x, y),
    };

    /// <summary>Five points of radius 1 between corners of radius 0.4.</summary>
    private static bool Star(double x, double y)
    {
        const double inner = 0.4;
        var half = Math.PI / 5;
        var fold = Math.Abs(Math.IEEERemainder(Math.Atan2(x, -y), 2 * half));
        var distance = Math.Sqrt((x * x) + (y * y));

        // The edge from a point (1, 0) to the corner at half an angle, and the side of it on which the centre lies.
        var (cornerX, cornerY) = (inner * Math.Cos(half), inner * Math.Sin(half));
        var (px, py) = (distance * Math.Cos(fold), distance * Math.Sin(fold));
        return ((cornerX - 1) * py) - (cornerY * (px - 1)) >= 0;
    }

    /// <param name="hue">Degrees.</param>
    private static double[] Paint(double hue, double saturation, double value)
    {
        return [Channel(5), Channel(3), Channel(1)];

        double Channel(double n)
        {
            var k = (n + ((hue + 360) / 60)) % 6;
            return 255 * value * (1 - (saturation * Math.Clamp(Math.Min(k, 4 - k), 0, 1)));
        }
    }

    private double Between(double low, double high) => low + (random.NextDouble() * (high - low));
}
