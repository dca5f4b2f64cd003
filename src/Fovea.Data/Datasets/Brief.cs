namespace Fovea.Data.Datasets;

/// <summary>What a row holds, made fit for one short line of a message.</summary>
internal static class Brief
{
    private const int MostLine = 800;
    private const int MostProblems = 5;

    /// <summary>Text on one line; the middle of long text is left out.</summary>
    internal static string Of(string text, int most = 80)
    {
        // Nobody reads more than both ends of it, whatever its size.
        var isLong = text.Length > most;
        var (head, tail) = isLong ? (text[..(most * 2 / 3)], text[^(most / 3)..]) : (text, string.Empty);
        return isLong ? $"{Line(head)}...({text.Length:N0} characters)...{Line(tail)}" : Line(head);
    }

    /// <summary>The reasons why a row cannot be used, the first of them.</summary>
    internal static string Join(IReadOnlyList<string> problems) => problems.Count <= MostProblems
        ? string.Join("; ", problems)
        : $"{string.Join("; ", problems.Take(MostProblems))}; and {problems.Count - MostProblems} more";

    /// <summary>A whole message on one line of bearable length.</summary>
    internal static string Message(string text) => Of(text, MostLine);

    /// <summary>Names, the first of them.</summary>
    internal static string List(IReadOnlyCollection<string> names, int most = 8)
    {
        var shown = string.Join(", ", names.Take(most).Select(name => Of(name, 40)));
        return names.Count > most ? $"{shown} and {names.Count - most} more" : shown;
    }

    // Line breaks and what steers a terminal become blanks; halves of surrogate pairs, where text was cut, go.
    private static string Line(string text)
    {
        var line = text.ToCharArray();
        for (var i = 0; i < line.Length; i++)
        {
            var isPair = char.IsHighSurrogate(line[i]) && i + 1 < line.Length && char.IsLowSurrogate(line[i + 1]);
            if (isPair)
            {
                i++;
            }
            else if (char.IsControl(line[i]) || char.IsSurrogate(line[i]) || line[i] is '\u2028' or '\u2029')
            {
                line[i] = ' ';
            }
        }

        return new string(line);
    }
}
