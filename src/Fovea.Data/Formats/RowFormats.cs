namespace Fovea.Data.Formats;

/// <summary>The table of row formats, in the order in which a row without a description is compared with them.</summary>
internal static class RowFormats
{
    internal static IReadOnlyList<IRowFormat> All { get; } = [new OfficialFormat(), new OpenAiFormat(), new ShareGptFormat(), new AlpacaFormat()];

    /// <summary>The format of that name; null where there is none.</summary>
    internal static IRowFormat? Named(string name) => All.FirstOrDefault(format => format.Name == name);
}
