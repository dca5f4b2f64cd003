using Fovea.Data.Images;
using Spectre.Console;

namespace Fovea.Cli.Demo;

/// <summary>Small pictures for a terminal, side by side: every character is two pixels, the upper its ink and the lower its ground.</summary>
internal static class Thumbnails
{
    /// <summary>Pixels a side.</summary>
    internal const int Side = 24;

    private const string UpperHalf = "\u2580";
    private const string Gap = "  ";

    /// <summary>How many fit beside each other; 0 where the terminal cannot show them.</summary>
    public static int Fit(IAnsiConsole console) =>
        console.Profile.Capabilities is { Ansi: true, Unicode: true, ColorSystem: ColorSystem.EightBit or ColorSystem.TrueColor }
            ? (console.Profile.Width - 1) / (Side + Gap.Length)
            : 0;

    public static void Write(IAnsiConsole console, IReadOnlyList<RgbImage> pictures)
    {
        var text = new Paragraph();
        for (var y = 0; y < Side; y += 2)
        {
            text.Append(Gap);
            foreach (var picture in pictures)
            {
                for (var x = 0; x < Side; x++)
                {
                    text.Append(UpperHalf, new Style(Mean(picture, x, y), Mean(picture, x, y + 1)));
                }

                text.Append(Gap);
            }

            text.Append("\n");
        }

        console.Write(text);
    }

    /// <summary>The mean colour of the part of an image that becomes one pixel.</summary>
    private static Color Mean(RgbImage picture, int x, int y)
    {
        var (left, right) = (x * picture.Width / Side, Math.Max((x * picture.Width / Side) + 1, (x + 1) * picture.Width / Side));
        var (top, bottom) = (y * picture.Height / Side, Math.Max((y * picture.Height / Side) + 1, (y + 1) * picture.Height / Side));
        Span<int> sums = [0, 0, 0];
        for (var row = top; row < bottom; row++)
        {
            for (var column = left; column < right; column++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    sums[channel] += picture.Pixels[(((row * picture.Width) + column) * 3) + channel];
                }
            }
        }

        var count = (right - left) * (bottom - top);
        return new Color((byte)(sums[0] / count), (byte)(sums[1] / count), (byte)(sums[2] / count));
    }
}
