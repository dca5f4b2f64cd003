namespace Fovea.Runs.Charts;

/// <summary>
/// A small stroke font of our own, so that charts need no font files. A glyph is a list of strokes on a grid: two hexadecimal digits a point
/// (x to the right, y upwards; baseline 3, x-height 9, capitals C, descenders 0). A stroke that starts with <c>~</c> is smooth: its points are
/// the control points of a quadratic B-spline that starts and ends on them, or closes where first and last are the same.
/// </summary>
internal static class StrokeFont
{
    private const double CapHeight = 9;
    private const double Baseline = 3;
    private const double Gap = 2.5;
    private const double SpaceWidth = 2.6;

    // Capitals are this much of the font size.
    private const double CapRatio = 0.72;

    private static readonly Dictionary<char, string> Shapes = new()
    {
        ['0'] = "~03535C0C03", ['1'] = "1A3C33", ['2'] = "~0A0C5C5803 0353", ['3'] = "~0B0C5C5828 ~2858530304", ['4'] = "434C0656",
        ['5'] = "5C1C08 ~081959530304", ['6'] = "~5B4C0C06 ~0353590903", ['7'] = "0C5C23", ['8'] = "~08585C0C08 ~0353580803",
        ['9'] = "~06565C0C06 ~59531304", ['.'] = "0303", [','] = "1302", [':'] = "0303 0808", [';'] = "1302 1808", ['-'] = "0636",
        ['_'] = "0252", ['/'] = "025C", ['\\'] = "0C52", ['+'] = "0646 2428", ['='] = "0545 0747", ['('] = "~2D0B0422", [')'] = "~0D2B2402",
        ['['] = "2D0D0222", [']'] = "0D2D2202", ['%'] = "~092A2C0C09 ~4363664643 5C13", ['\''] = "0C0A", ['!'] = "0C06 0303",
        ['?'] = "~0A0C5C5827 2726 2323", ['#'] = "134C 336C 0656 1969", ['*'] = "2C26 0A48 4A08",
        ['<'] = "483644", ['>'] = "084604", ['|'] = "0D01", ['~'] = "~060918",
        ['a'] = "~0353590903 5953", ['b'] = "0C03 ~0353590903", ['c'] = "~585909035354", ['d'] = "~0353590903 5C53", ['e'] = "0656 ~565909035354",
        ['f'] = "~3C1C19 1913 0939", ['g'] = "~0353590903 5952 ~52500001", ['h'] = "0C03 ~06094946 4643", ['i'] = "0903 0C0C", ['j'] = "2922 ~222000 2C2C",
        ['k'] = "0C03 4905 1643", ['l'] = "0C03", ['m'] = "0903 ~06093936 3633 ~36396966 6663", ['n'] = "0903 ~06094946 4643", ['o'] = "~0353590903",
        ['p'] = "0900 ~0353590903", ['q'] = "5950 ~0353590903", ['r'] = "0903 ~060939", ['s'] = "~4849090646430304", ['t'] = "1C15 ~151333 0939",
        ['u'] = "0906 ~06034346 4943", ['v'] = "092349", ['w'] = "0923384369", ['x'] = "0943 0349", ['y'] = "0923 4910", ['z'] = "09490343",
        ['A'] = "033C63 1656", ['B'] = "0C03 0C2C ~2C5C5828 0828 ~28686323 2303", ['C'] = "~6A6C0C036365", ['D'] = "030C 0C2C ~2C6C6323 2303",
        ['E'] = "5C0C0353 0848", ['F'] = "5C0C03 0848", ['G'] = "~6A6C0C036367 6737", ['H'] = "0C03 6C63 0868", ['I'] = "0C03", ['J'] = "4C46 ~46430304",
        ['K'] = "0C03 5C06 2863", ['L'] = "0C0353", ['M'] = "030C376C63", ['N'] = "030C636C", ['O'] = "~03636C0C03", ['P'] = "0C03 0C2C ~2C5C5727 2707",
        ['Q'] = "~03636C0C03 4562", ['R'] = "0C03 0C2C ~2C5C5727 2707 2753", ['S'] = "~5A5C0C0858530305", ['T'] = "0C6C 3C33", ['U'] = "0C06 ~06036366 666C",
        ['V'] = "0C336C", ['W'] = "0C234B638C", ['X'] = "0C63 036C", ['Y'] = "0C376C 3733", ['Z'] = "0C6C0363",
    };

    private static readonly Dictionary<char, IReadOnlyList<IReadOnlyList<(double X, double Y)>>> Cache = [];

    public static double Width(string text, double size)
    {
        var width = text.Sum(Advance) - (text.Length > 0 ? Gap : 0);
        return Math.Max(0, width) * Scale(size);
    }

    /// <summary>The strokes of a text, x from 0 to the right, y from the baseline downwards.</summary>
    public static IEnumerable<IReadOnlyList<(double X, double Y)>> Layout(string text, double size)
    {
        var scale = Scale(size);
        var at = 0.0;
        foreach (var c in text)
        {
            foreach (var stroke in Strokes(c))
            {
                var start = at;
                yield return [.. stroke.Select(p => ((start + p.X) * scale, (Baseline - p.Y) * scale))];
            }

            at += Advance(c);
        }
    }

    private static double Scale(double size) => size * CapRatio / CapHeight;

    private static double Advance(char c)
    {
        var strokes = Strokes(c);
        return strokes.Count == 0 ? SpaceWidth + Gap : strokes.Max(stroke => stroke.Max(p => p.X)) + Gap;
    }

    private static IReadOnlyList<IReadOnlyList<(double X, double Y)>> Strokes(char c)
    {
        lock (Cache)
        {
            if (!Cache.TryGetValue(c, out var strokes))
            {
                strokes = c == ' ' ? [] : [.. (Shapes.GetValueOrDefault(c) ?? Shapes['?']).Split(' ').Select(Parse)];
                Cache[c] = strokes;
            }

            return strokes;
        }
    }

    private static IReadOnlyList<(double X, double Y)> Parse(string stroke)
    {
        var smooth = stroke[0] == '~';
        var digits = smooth ? stroke[1..] : stroke;
        var points = new List<(double X, double Y)>();
        for (var i = 0; i + 1 < digits.Length; i += 2)
        {
            points.Add((System.Convert.ToInt32(digits[i].ToString(), 16), System.Convert.ToInt32(digits[i + 1].ToString(), 16)));
        }

        return smooth ? Spline(points) : points;
    }

    /// <summary>Points along the quadratic B-spline of a control polygon.</summary>
    private static List<(double X, double Y)> Spline(List<(double X, double Y)> control)
    {
        const int steps = 8;
        var closed = control[0] == control[^1];
        var corners = closed ? control[..^1] : control[1..^1];
        var curve = new List<(double X, double Y)>();
        for (var i = 0; i < corners.Count; i++)
        {
            var corner = corners[i];
            var from = closed ? Middle(corners[(i + corners.Count - 1) % corners.Count], corner) : i == 0 ? control[0] : Middle(corners[i - 1], corner);
            var to = closed ? Middle(corner, corners[(i + 1) % corners.Count]) : i == corners.Count - 1 ? control[^1] : Middle(corner, corners[i + 1]);
            for (var step = i == 0 ? 0 : 1; step <= steps; step++)
            {
                var t = (double)step / steps;
                var (a, b, c) = ((1 - t) * (1 - t), 2 * t * (1 - t), t * t);
                curve.Add(((a * from.X) + (b * corner.X) + (c * to.X), (a * from.Y) + (b * corner.Y) + (c * to.Y)));
            }
        }

        return curve;
    }

    private static (double X, double Y) Middle((double X, double Y) a, (double X, double Y) b) => ((a.X + b.X) / 2, (a.Y + b.Y) / 2);
}
