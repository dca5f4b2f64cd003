using System.Globalization;

namespace Fovea.Data.Objects;

/// <summary>How a model family names things in images and writes where they are.</summary>
/// <param name="Scale">What its coordinates count.</param>
internal sealed record ObjectForm(BoxScale Scale)
{
    /// <summary>What stands around a name.</summary>
    public (string Open, string Close) Name { get; init; } = (string.Empty, string.Empty);

    /// <summary>What stands around a box.</summary>
    public (string Open, string Close) Box { get; init; } = ("[", "]");

    /// <summary>What stands around a point.</summary>
    public (string Open, string Close) Point { get; init; } = ("[", "]");

    /// <summary>Numbers are parted by blanks, <c>x1 y1 x2 y2</c>; otherwise they stand in pairs, <c>(x1,y1),(x2,y2)</c>.</summary>
    public bool IsSpaced { get; init; }

    /// <summary>Whether it also knows JSON, in which places are lists of numbers.</summary>
    public bool KnowsJson { get; init; }

    /// <summary>A place in the family's own marks.</summary>
    /// <param name="numbers">Two for a point, four for a box.</param>
    public string Write(ReadOnlySpan<long> numbers)
    {
        var (open, close) = numbers.Length == 2 ? Point : Box;
        return open + (IsSpaced ? Join(numbers, " ")
            : numbers.Length == 2 ? $"({Join(numbers, ",")})"
            : $"({Join(numbers[..2], ",")}),({Join(numbers[2..], ",")})") + close;
    }

    /// <summary>A place as a list of numbers.</summary>
    public static string List(ReadOnlySpan<long> numbers) => $"[{Join(numbers, ", ")}]";

    private static string Join(ReadOnlySpan<long> numbers, string between) =>
        string.Join(between, numbers.ToArray().Select(number => number.ToString(CultureInfo.InvariantCulture)));
}
