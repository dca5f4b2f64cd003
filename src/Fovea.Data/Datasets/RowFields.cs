using System.Globalization;
using System.Text.Json;

namespace Fovea.Data.Datasets;

/// <summary>Reading single fields of a row; what is wrong with one is added to the row's problems.</summary>
internal static class RowFields
{
    internal static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "text",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    /// <summary>Nothing is there: null, empty text, an empty list, also one written as text.</summary>
    internal static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.ValueEquals(string.Empty) || value.ValueEquals("[]"),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };

    internal static string? Text(JsonElement row, string? column, List<string> problems)
    {
        if (column is null || !row.TryGetProperty(column, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return TextOf(value, column, problems);
    }

    internal static string? TextOf(JsonElement value, string what, List<string> problems)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            problems.Add($"{Brief.Of(what)} must be text, not {Kind(value)}");
            return null;
        }

        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            problems.Add($"{Brief.Of(what)} is not valid Unicode (half a surrogate pair, or not UTF-8)");
            return null;
        }
    }

    /// <summary>A number, also one written as text as tables have it; null where there is none.</summary>
    /// <param name="least">What it must be at least; above it where <paramref name="above"/> is set.</param>
    internal static double? Number(JsonElement row, string column, double least, bool above, List<string> problems)
    {
        if (!row.TryGetProperty(column, out var value) || IsEmpty(value))
        {
            return null;
        }

        double number = 0;
        var isNumber = value.ValueKind == JsonValueKind.Number ? value.TryGetDouble(out number)
            : value.ValueKind == JsonValueKind.String && double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        if (isNumber && float.IsFinite((float)number) && (above ? number > least : number >= least))
        {
            return number;
        }

        var shown = value.ValueKind is JsonValueKind.Number or JsonValueKind.String ? Brief.Of(value.ToString()) : Kind(value);
        problems.Add(string.Create(
            CultureInfo.InvariantCulture, $"{Brief.Of(column)} must be a number {(above ? "above" : "of at least")} {least}, not {shown}"));
        return null;
    }

    internal static void RefuseUnsupported(JsonElement row, string? column, string what, List<string> problems)
    {
        if (column is not null && row.TryGetProperty(column, out var value) && !IsEmpty(value))
        {
            problems.Add($"has {what}, which are not supported");
        }
    }
}
