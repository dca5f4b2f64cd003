using System.Globalization;

namespace Fovea.Training.Config;

/// <summary>An amount of memory, written <c>20GiB</c>, <c>512MiB</c>, <c>16GB</c> or in plain bytes.</summary>
internal readonly record struct MemorySize(long Bytes)
{
    private static readonly (string Suffix, long Unit)[] Units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("KB", 1_000L), ("MB", 1_000_000L), ("GB", 1_000_000_000L), ("TB", 1_000_000_000_000L),
    ];

    /// <summary>Reads a size; null when the text is none or not positive.</summary>
    public static MemorySize? Parse(string text)
    {
        var unit = 1L;
        var number = text.Trim();
        foreach (var (suffix, size) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^suffix.Length].TrimEnd();
                unit = size;
                break;
            }
        }

        var valid = double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value);
        var bytes = value * unit;
        return valid && bytes is >= 1 and < long.MaxValue ? new MemorySize((long)bytes) : null;
    }

    public override string ToString() => (Bytes / (double)(1L << 30)).ToString("0.###", CultureInfo.InvariantCulture) + "GiB";
}
