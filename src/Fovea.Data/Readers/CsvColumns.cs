using System.Buffers;
using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;

namespace Fovea.Data.Readers;

/// <summary>What the first line of a CSV file says, and records as rows under it.</summary>
internal sealed class CsvColumns
{
    private static readonly string[] Structured =
        ["messages", "conversations", "history", "images", "image", "image_bytes", "tools", "videos", "audios", "objects"];

    private readonly IReadOnlyList<string> names;
    private readonly HashSet<string> structured;

    private CsvColumns(IReadOnlyList<string> names, DatasetColumns? described)
    {
        this.names = names;
        structured = described is null ? [.. Structured] : [.. Described(described).OfType<string>()];
    }

    /// <summary>Looks at how a file begins.</summary>
    /// <returns>Bytes of a byte order mark.</returns>
    /// <exception cref="ConfigException">It is of another encoding, or no data.</exception>
    public static int CheckHead(string path, ReadOnlySpan<byte> head)
    {
        RowBytes.RefusePointer(path, head);
        return Utf8Check.OtherEncoding(head) is { } other
            ? throw new ConfigException($"data file {path} is {other}; {Utf8Check.SaveIt(other)}")
            : Utf8Check.MarkLength(head);
    }

    /// <param name="header">The first line; null where there is none.</param>
    /// <param name="described">What a description calls the columns; null without one.</param>
    /// <exception cref="ConfigException">It names no columns.</exception>
    public static CsvColumns Of(string path, byte[]? header, DatasetColumns? described)
    {
        if (header is null)
        {
            throw new ConfigException($"data file {path} is empty; its first line must name the columns");
        }

        var record = CsvRecord.Parse(header);
        if (record.Problem is { } problem)
        {
            throw new ConfigException($"data file {path}: its first line, which names the columns, {problem}");
        }

        List<string> names = [.. record.Fields.Select(name => name.Trim())];
        if (names is [var only] && Array.Find<char>([';', '\t', '|'], only.Contains) is var mark and not '\0')
        {
            throw new ConfigException($"data file {path}: its columns are parted by {(mark == '\t' ? "tabs" : $"'{mark}'")}, where commas are needed");
        }

        // A column without a name, such as an index that pandas writes, is left out.
        if (names.Where(name => name.Length > 0).GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new ConfigException($"data file {path}: its first line names the column '{Brief.Of(twice.Key)}' {twice.Count()} times");
        }

        return new CsvColumns(names, described);
    }

    /// <exception cref="JsonException">The record is none of these columns.</exception>
    public Row Row(ReadOnlySpan<byte> bytes)
    {
        var record = CsvRecord.Parse(bytes);
        return record.Problem is null && record.Fields.Count == names.Count ? new Row(ToJson(record.Fields))
            : throw new JsonException(record.Problem ?? $"has {record.Fields.Count} fields where the first line names {names.Count}");
    }

    private static string?[] Described(DatasetColumns columns) =>
        [columns.Messages, columns.History, columns.Images, columns.Tools, columns.Videos, columns.Audios, columns.Objects];

    private JsonDocument ToJson(IReadOnlyList<string> fields)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            for (var i = 0; i < fields.Count; i++)
            {
                if (names[i].Length > 0)
                {
                    json.WritePropertyName(names[i]);
                    Write(json, fields[i], structured.Contains(names[i]));
                }
            }

            json.WriteEndObject();
        }

        return JsonText.Parse(buffer.WrittenMemory);
    }

    /// <summary>What begins as JSON and is none goes in as text, so that reading the row says what is wrong with it.</summary>
    private static void Write(Utf8JsonWriter json, string text, bool mayBeJson)
    {
        if (mayBeJson && text.AsSpan().TrimStart() is ['[' or '{', ..])
        {
            try
            {
                using var document = JsonText.Parse(Encoding.UTF8.GetBytes(text));
                document.RootElement.WriteTo(json);
                return;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // Text, then.
            }
        }

        json.WriteStringValue(text);
    }
}
