using System.Text.RegularExpressions;

namespace Fovea.Board.Work;

/// <summary>All keys that a configuration may have, read from the page that is generated from their code.</summary>
internal static partial class FormKeys
{
    public static IReadOnlyList<FormKey> All { get; } = [.. Read()];

    /// <summary>The default of each key.</summary>
    public static IReadOnlyDictionary<string, string> Defaults { get; } = All.ToDictionary(key => key.Key, key => key.Default);

    private static IEnumerable<FormKey> Read()
    {
        using var stream = typeof(FormKeys).Assembly.GetManifestResourceStream("Fovea.Board.configuration.md")
            ?? throw new InvalidOperationException("configuration.md is missing in Fovea.Board");
        using var page = TextFile.Open(stream, "configuration.md");
        var section = string.Empty;
        while (page.ReadLine() is { } line && line != "## Accepted without effect")
        {
            if (line.StartsWith("### ", StringComparison.Ordinal))
            {
                section = line[4..];
            }
            else if (Row().Match(line) is { Success: true } row)
            {
                yield return new FormKey(
                    row.Groups["key"].Value, section, row.Groups["default"].Value, Text(row.Groups["values"].Value), Text(row.Groups["meaning"].Value));
            }
        }
    }

    private static string Text(string cell) => cell.Replace("`", string.Empty, StringComparison.Ordinal).Replace("\\|", "|", StringComparison.Ordinal);

    [GeneratedRegex(@"^\| `(?<key>\w+)`[^|]* \| (?:`(?<default>[^`]*)`)? \| (?<values>.*?) \| (?<meaning>.*) \|$", RegexOptions.CultureInvariant)]
    private static partial Regex Row();
}
