using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Quick;

/// <summary>
/// Reads a rectangle out of an answer, as VLMEvalKit does: the first bracket with four numbers, or else the first four numbers. In what unit they are is
/// told by the
/// largest: up to 1.5 shares of the image's sides, up to 1000 thousandths, beyond that pixels of the image.
/// </summary>
internal static partial class BoxReader
{
    private const string One = @"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?";
    private const string Next = @"(?:\s*,\s*|\s+)";
    private const double MostShare = 1.5;
    private const double Thousand = 1000;

    /// <summary>The four numbers; null where there are not as many.</summary>
    public static Box? Numbers(string text)
    {
        var bracket = Bracket().Match(text);
        var numbers = bracket.Success ? bracket.Groups.Cast<Group>().Skip(1).Select(group => group.Value).ToArray()
            : Number().Matches(text).Take(4).Select(match => match.Value).ToArray();
        if (numbers.Length < 4)
        {
            return null;
        }

        var values = Array.ConvertAll(numbers, number => double.Parse(number, CultureInfo.InvariantCulture));
        return new Box(values[0], values[1], values[2], values[3]);
    }

    /// <summary>In pixels and within the image, and in words what unit was assumed; null where the answer has no rectangle.</summary>
    public static (Box Box, string Unit)? Read(string answer, double width, double height)
    {
        if (Numbers(answer) is not { } box)
        {
            return null;
        }

        double[] sides = [box.Left, box.Top, box.Right, box.Bottom];
        var (scaled, unit) = sides.Max(Math.Abs) switch
        {
            <= MostShare => (box.Scale(width, height), "shares of the image"),
            <= Thousand => (box.Scale(width / Thousand, height / Thousand), "thousandths of the image"),
            _ => (box, "pixels"),
        };
        return (scaled.Within(width, height), unit);
    }

    [GeneratedRegex($@"\[\s*({One}){Next}({One}){Next}({One}){Next}({One})\s*\]", RegexOptions.CultureInvariant)]
    private static partial Regex Bracket();

    [GeneratedRegex(One, RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
