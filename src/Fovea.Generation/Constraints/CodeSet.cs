namespace Fovea.Generation.Constraints;

/// <summary>A set of characters: ranges of code points in order, none touching another. Halves of surrogate pairs are no characters.</summary>
internal sealed class CodeSet
{
    public const int Last = 0x10FFFF;

    private const int FirstHalf = 0xD800;
    private const int LastHalf = 0xDFFF;

    private CodeSet(IEnumerable<(int Low, int High)> ranges)
    {
        var joined = new List<(int Low, int High)>();
        foreach (var (low, high) in ranges.SelectMany(WithoutHalves).Order())
        {
            if (joined.Count > 0 && low <= joined[^1].High + 1)
            {
                joined[^1] = (joined[^1].Low, Math.Max(joined[^1].High, high));
            }
            else
            {
                joined.Add((low, high));
            }
        }

        Ranges = joined;
    }

    public static CodeSet All { get; } = Of((0, Last));

    public static CodeSet None { get; } = Of();

    public IReadOnlyList<(int Low, int High)> Ranges { get; }

    public bool IsEmpty => Ranges.Count == 0;

    /// <summary>Every member is one byte in UTF-8.</summary>
    public bool IsAscii => IsEmpty || Ranges[^1].High < 0x80;

    /// <summary>The same for equal sets.</summary>
    public string Key => string.Join(',', Ranges);

    public static CodeSet Of(params IEnumerable<(int Low, int High)> ranges) => new(ranges);

    public static CodeSet Of(int code) => new([(code, code)]);

    public CodeSet And(CodeSet other) => new(Ranges.Concat(other.Ranges));

    public CodeSet Complement()
    {
        var rest = new List<(int, int)>();
        var next = 0;
        foreach (var (low, high) in Ranges)
        {
            if (low > next)
            {
                rest.Add((next, low - 1));
            }

            next = high + 1;
        }

        if (next <= Last)
        {
            rest.Add((next, Last));
        }

        return new(rest);
    }

    public CodeSet Within(int low, int high) =>
        new(Ranges.Where(range => range.High >= low && range.Low <= high).Select(range => (Math.Max(range.Low, low), Math.Min(range.High, high))));

    public CodeSet Without(CodeSet other) => Complement().And(other).Complement();

    public bool Contains(int code) => Ranges.Any(range => range.Low <= code && code <= range.High);

    private static IEnumerable<(int Low, int High)> WithoutHalves((int Low, int High) range)
    {
        if (range.Low < FirstHalf)
        {
            yield return (range.Low, Math.Min(range.High, FirstHalf - 1));
        }

        if (range.High > LastHalf)
        {
            yield return (Math.Max(range.Low, LastHalf + 1), range.High);
        }
    }
}
