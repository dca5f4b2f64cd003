using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Runs;

/// <summary>What a terminal shows after a text with control sequences: as much of one as the live view needs.</summary>
internal sealed partial class Screen
{
    private readonly List<List<char>> rows = [[]];
    private int row;
    private int column;

    public Screen(string received)
    {
        foreach (Match part in Part().Matches(received))
        {
            if (part.Groups["kind"].Success)
            {
                Control(part.Groups["number"].Value, part.Groups["kind"].Value[0]);
            }
            else
            {
                Put(part.Value[0]);
            }
        }
    }

    /// <summary>Every line that was ever shown, without white space at its end.</summary>
    public IReadOnlyList<string> Lines => [.. rows.Select(line => string.Concat(line).TrimEnd())];

    private void Control(string number, char kind)
    {
        var count = int.TryParse(number, CultureInfo.InvariantCulture, out var given) ? given : 1;
        switch (kind)
        {
            case 'A':
                row = Math.Max(0, row - count);
                break;
            case 'K' when number == "2":
                rows[row].Clear();
                break;
            case 'K':
                throw new NotSupportedException($"erase in line {number}");
        }
    }

    private void Put(char c)
    {
        switch (c)
        {
            case '\r':
                column = 0;
                return;
            case '\n':
                (row, column) = (row + 1, 0);
                if (row == rows.Count)
                {
                    rows.Add([]);
                }

                return;
        }

        while (rows[row].Count <= column)
        {
            rows[row].Add(' ');
        }

        rows[row][column++] = c;
    }

    [GeneratedRegex(@"\x1b\[[?]?(?<number>[0-9;]*)(?<kind>[A-Za-z])|[\s\S]")]
    private static partial Regex Part();
}
