using System.Text;
using System.Text.Json;

namespace Fovea;

/// <summary>Parses JSON so that whatever was read can be used without a surprise: texts are valid Unicode and every key stands once.</summary>
internal static class JsonText
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    private static readonly JsonDocumentOptions Lenient = new()
    {
        AllowDuplicateProperties = false, AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip,
    };

    /// <param name="utf8">UTF-8, checked.</param>
    /// <param name="from">Where it begins, as messages count; null is at line 1.</param>
    /// <exception cref="JsonException">In words: "line 3, column 1 is not valid JSON: ...".</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, bool lenient = false, TextPlace? from = null)
    {
        var start = from ?? TextPlace.Start;
        JsonProblem.RefuseHalfSurrogates(utf8.Span, lenient, start);
        try
        {
            return JsonDocument.Parse(utf8, lenient ? Lenient : Strict);
        }
        catch (JsonException e)
        {
            throw new JsonException(JsonProblem.Describe(utf8.Span, e, lenient, start));
        }
    }

    /// <summary>
    /// Refuses <c>\ud83d</c> without its other half, and the other way round. Python's json takes them, and what becomes of the text later does not (no
    /// tokenizer of the reference encodes one): here they are refused where they stand.
    /// </summary>
    /// <exception cref="JsonException">Names place and key.</exception>
    public static void RefuseHalfSurrogates(ReadOnlySpan<byte> utf8) => JsonProblem.RefuseHalfSurrogates(utf8, lenient: false, TextPlace.Start);

    /// <summary>What a reader complained about, in words.</summary>
    public static string Explain(ReadOnlySpan<byte> utf8, JsonException e) =>
        e.LineNumber is null ? e.Message : JsonProblem.Describe(utf8, e, lenient: false, TextPlace.Start);

    /// <summary>What a value is, for messages.</summary>
    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "text",
        JsonValueKind.Null or JsonValueKind.Undefined => "null",
        _ => "true or false",
    };

    /// <summary>A value as it stands in its file, short enough for a message.</summary>
    public static string Show(JsonElement value)
    {
        const int most = 60;
        var text = value.ValueKind == JsonValueKind.Undefined ? "nothing" : value.GetRawText();
        if (text.Length <= most && !text.Contains('\n'))
        {
            return text;
        }

        var line = new StringBuilder();
        foreach (var c in text)
        {
            if (line.Length == most)
            {
                return $"{line}...";
            }

            line.Append(char.IsWhiteSpace(c) ? ' ' : c);
        }

        return line.ToString();
    }

    /// <summary>A whole number, also when it is written as 2.0 or 1e3; null for anything else.</summary>
    public static long? Whole(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            return null;
        }

        // Beyond 2^53 a double cannot tell neighbours apart.
        return value.TryGetInt64(out var whole) ? whole
            : value.TryGetDouble(out var real) && real == Math.Floor(real) && Math.Abs(real) <= 1L << 53 ? (long)real
            : null;
    }

    /// <summary>A number that a double holds; null for anything else, also for one that is too large.</summary>
    public static double? Real(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var real) && double.IsFinite(real) ? real : null;
}
