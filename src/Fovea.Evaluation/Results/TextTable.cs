using System.Text;

namespace Fovea.Evaluation.Results;

/// <summary>A table for a terminal: columns as wide as they must be, numbers flush right.</summary>
internal static class TextTable
{
    private const int Widest = 60;

    /// <param name="head">Names of the columns; the first is flush left, the others flush right.</param>
    public static string Of(IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows)
    {
        var all = rows.Prepend(head).Select(row => row.Select(cell => Short(cell)).ToList()).ToList();
        var widths = Enumerable.Range(0, head.Count).Select(c => all.Max(row => Width(row[c]))).ToList();
        var text = new StringBuilder();
        foreach (var row in all)
        {
            var line = new StringBuilder();
            for (var c = 0; c < row.Count; c++)
            {
                var blanks = new string(' ', widths[c] - Width(row[c]));
                line.Append(c > 0 ? "  " : string.Empty).Append(c > 0 ? blanks + row[c] : row[c] + blanks);
            }

            text.AppendLine(line.ToString().TrimEnd());
        }

        return text.ToString();
    }

    private static string Short(string cell)
    {
        cell = cell.ReplaceLineEndings(" ");
        return cell.Length <= Widest ? cell : $"{cell[..(Widest - 3)]}...";
    }

    /// <summary>Columns of a terminal: East Asian wide characters take two.</summary>
    private static int Width(string text) => text.EnumerateRunes().Sum(rune => IsWide(rune.Value) ? 2 : 1);

    private static bool IsWide(int character) => character is (>= 0x1100 and <= 0x115f) or (>= 0x2e80 and <= 0xa4cf) or (>= 0xac00 and <= 0xd7a3)
        or (>= 0xf900 and <= 0xfaff) or (>= 0xfe30 and <= 0xfe6f) or (>= 0xff00 and <= 0xff60) or (>= 0x1f300 and <= 0x1faff);
}
