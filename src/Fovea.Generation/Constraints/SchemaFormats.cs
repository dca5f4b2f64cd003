namespace Fovea.Generation.Constraints;

/// <summary>Expressions for the values of <c>format</c>.</summary>
internal static class SchemaFormats
{
    private const string Year = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
    private const string LeapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
    private const string Date = $"({Year}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|{LeapYear}-02-29)";
    private const string Clock = "([01][0-9]|2[0-3]):[0-5][0-9]";
    private const string Time = $"{Clock}:[0-5][0-9](\\.[0-9]+)?(Z|[+\\-]{Clock})";
    private const string Label = "[A-Za-z0-9]([A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?";
    private const string Atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-]+";
    private const string Byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";

    private static readonly Dictionary<string, string> Known = new(StringComparer.Ordinal)
    {
        ["date"] = Date,
        ["time"] = Time,
        ["date-time"] = $"{Date}T{Time}",
        ["uuid"] = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        ["email"] = $"{Atom}(\\.{Atom})*@{Label}(\\.{Label})+",
        ["ipv4"] = $"{Byte}(\\.{Byte}){{3}}",
    };

    public static IEnumerable<string> Names => Known.Keys;

    public static string? Find(string name) => Known.GetValueOrDefault(name);
}
