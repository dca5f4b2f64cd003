using System.Text;
using System.Text.Json;

namespace Fovea;

/// <summary>Says what is wrong with a JSON text: where, what it was taken for, and how to fix it.</summary>
internal static class JsonProblem
{
    /// <summary>What is said where a comment stands.</summary>
    public const string Comment = "a comment, which JSON does not have; take it out";

    /// <exception cref="JsonException">A text or key holds half a surrogate pair; names place and key.</exception>
    internal static void RefuseHalfSurrogates(ReadOnlySpan<byte> json, bool lenient, TextPlace from)
    {
        if (Half(json) is var found and >= 0)
        {
            if (KeyAt(json, found, lenient) is not { } key)
            {
                return; // not in a text, or not JSON, which the parser will say
            }

            var escape = Encoding.UTF8.GetString(json.Slice(found, 6));
            throw new JsonException($"{Place(json, found, from)}{(key.Length == 0 ? string.Empty : $", {key}")} holds half a surrogate pair, {escape}, "
                + "which is no character; write the character itself, or take it out");
        }
    }

    /// <summary>The parser's complaint in words.</summary>
    internal static string Describe(ReadOnlySpan<byte> json, JsonException e, bool lenient, TextPlace from)
    {
        if (Duplicate(json, lenient, from) is { } twice)
        {
            return twice;
        }

        if (json.Trim(" \t\r\n"u8).IsEmpty)
        {
            return "is empty, where JSON is expected";
        }

        var at = Offset(json, e);
        return $"{Place(json, at, from)} is not valid JSON: {Reason(json, at, e)}";
    }

    /// <summary>What stands at a place that the parser stopped at, in words.</summary>
    /// <param name="json">The text, or a part around the place.</param>
    public static string Reason(ReadOnlySpan<byte> json, int at, JsonException e)
    {
        var rest = json[at..];
        var before = json[..at].TrimEnd(" \t\r\n"u8);
        if (json.StartsWith("version https://git-lfs"u8))
        {
            return "it is a git-lfs pointer; run 'git lfs pull' in its folder";
        }

        if (json.StartsWith("<"u8))
        {
            return "it is a web page or XML; download the file itself";
        }

        if (e.Message.Contains("depth of", StringComparison.Ordinal))
        {
            return "it is nested deeper than 64 levels";
        }

        if (rest.IsEmpty || e.Message.Contains("but reached end of data", StringComparison.Ordinal))
        {
            return "it ends in the middle (was the file cut, or is a ] or } or \" missing?)";
        }

        if (rest.StartsWith("\uFEFF"u8))
        {
            return "a byte order mark in the middle of the file (were files joined?); take it out";
        }

        if (rest is [(byte)'/', (byte)'/' or (byte)'*', ..] or [(byte)'#', ..])
        {
            return Comment;
        }

        if (e.Message.Contains("after a single JSON value", StringComparison.Ordinal))
        {
            return "something follows after its end";
        }

        if (rest[0] is (byte)']' or (byte)'}' && before.EndsWith(","u8))
        {
            return $"a comma before {(char)rest[0]}; take the comma out";
        }

        return rest switch
        {
            [(byte)'\'', ..] => "a single quote; keys and texts stand in double quotes (is this Python's print of a dict? use json.dump)",
            [< 0x20, ..] => $"a bare control character (0x{rest[0]:X2}) in a text; write line breaks as \\n and tabs as \\t",
            _ when Python(rest, before) is { } word => word,
            _ => FirstSentence(e.Message),
        };
    }

    /// <summary>Words that Python prints or its json writes, which are not JSON.</summary>
    private static string? Python(ReadOnlySpan<byte> rest, ReadOnlySpan<byte> before)
    {
        // The parser stops inside a word that begins like one of its own (NaN does not, None does: n, u, l).
        var start = before.Length;
        while (start > 0 && char.IsAsciiLetter((char)before[start - 1]))
        {
            start--;
        }

        var length = 0;
        while (length < rest.Length && char.IsAsciiLetter((char)rest[length]))
        {
            length++;
        }

        var word = Encoding.ASCII.GetString(before[start..]) + Encoding.ASCII.GetString(rest[..length]);
        return word switch
        {
            "NaN" or "Infinity" => $"{word} is no JSON number; write null, or leave the key out",
            "None" => "None is Python's; write null",
            "True" or "False" => $"{word} is Python's; write {word.ToLowerInvariant()}",
            _ => null,
        };
    }

    private static string FirstSentence(string message)
    {
        var end = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }

    private static int Offset(ReadOnlySpan<byte> json, JsonException e)
    {
        var start = 0;
        for (var line = e.LineNumber ?? 0; line > 0; line--)
        {
            var end = json[start..].IndexOf((byte)'\n');
            if (end < 0)
            {
                break;
            }

            start += end + 1;
        }

        return (int)Math.Min(json.Length, start + (e.BytePositionInLine ?? 0));
    }

    private static string Place(ReadOnlySpan<byte> json, int at, TextPlace from)
    {
        var place = from.At(json, at);
        return $"line {place.Line}, column {place.Column}";
    }

    /// <summary>The place of the first escape of one half of a pair without the other, or -1.</summary>
    private static int Half(ReadOnlySpan<byte> json)
    {
        for (var at = 0; json[at..].IndexOf((byte)'\\') is var step and >= 0;)
        {
            at += step;
            var unit = Unit(json[at..]);
            if (unit is < 0xD800 or > 0xDFFF)
            {
                at += Math.Min(2, json.Length - at);
            }
            else if (unit <= 0xDBFF && Unit(json[(at + 6)..]) is >= 0xDC00 and <= 0xDFFF)
            {
                at += 12;
            }
            else
            {
                return at;
            }
        }

        return -1;
    }

    private static int Unit(ReadOnlySpan<byte> escape) =>
        escape is [(byte)'\\', (byte)'u', ..] && escape.Length >= 6
        && System.Buffers.Text.Utf8Parser.TryParse(escape.Slice(2, 4), out ushort unit, out var used, 'x') && used == 4 ? unit : -1;

    /// <summary>The path of keys that leads to a place in a text or key; null where the place lies in neither, or the JSON is wrong before it.</summary>
    private static string? KeyAt(ReadOnlySpan<byte> json, int at, bool lenient)
    {
        var path = new JsonPath();
        try
        {
            var reader = new Utf8JsonReader(json, Options(lenient));
            while (reader.Read())
            {
                var holds = reader.TokenStartIndex <= at && at < reader.BytesConsumed;
                if (holds && reader.TokenType == JsonTokenType.PropertyName)
                {
                    return path.ToString();
                }

                path.Step(ref reader);
                if (holds && reader.TokenType == JsonTokenType.String)
                {
                    return path.ToString();
                }
            }
        }
        catch (JsonException)
        {
            // The parser itself will say what is wrong.
        }

        return null;
    }

    /// <summary>The first key that stands twice in one object; null where the text is not JSON or there is none.</summary>
    private static string? Duplicate(ReadOnlySpan<byte> json, bool lenient, TextPlace from)
    {
        var path = new JsonPath();
        var keys = new Stack<HashSet<string>>();
        try
        {
            var reader = new Utf8JsonReader(json, Options(lenient));
            while (reader.Read())
            {
                path.Step(ref reader);
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    keys.Push([]);
                }
                else if (reader.TokenType == JsonTokenType.EndObject)
                {
                    keys.Pop();
                }
                else if (reader.TokenType == JsonTokenType.PropertyName && !keys.Peek().Add(reader.GetString()!))
                {
                    return $"{Place(json, (int)reader.TokenStartIndex, from)} gives {path} twice; keep one";
                }
            }
        }
        catch (JsonException)
        {
            return null;
        }

        return null;
    }

    private static JsonReaderOptions Options(bool lenient) => lenient
        ? new JsonReaderOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }
        : default;
}
