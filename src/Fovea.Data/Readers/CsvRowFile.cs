using System.Buffers;
using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Readers;

/// <summary>
/// The rows of a CSV file (RFC 4180: commas, quotes, a first line that names the columns). All fields are text; of columns that hold lists (messages, images)
/// text that begins as JSON is read as such. Keeps 16 bytes a row.
/// </summary>
internal sealed class CsvRowFile : IRowReader
{
    private static readonly string[] Structured =
        ["messages", "conversations", "history", "images", "image", "image_bytes", "tools", "videos", "audios", "objects"];
    private readonly string path;
    private readonly SafeFileHandle handle;
    private readonly RowPlaces places;
    private readonly List<int> lines = [];
    private readonly HashSet<string> structured;
    private IReadOnlyList<string> names = [];

    private CsvRowFile(string path, SafeFileHandle handle, DatasetColumns? columns)
    {
        this.path = path;
        this.handle = handle;
        places = new RowPlaces(path);
        structured = columns is null ? [.. Structured] : [.. Described(columns).OfType<string>()];
    }

    public int Count => places.Count;

    /// <summary>Finds the rows.</summary>
    /// <param name="columns">What a description calls the columns; null without one.</param>
    /// <exception cref="ConfigException">The file is missing, empty, of another encoding, names no columns, or has a quote that is never closed.</exception>
    public static CsvRowFile Open(string path, DatasetColumns? columns)
    {
        var file = new CsvRowFile(path, RowBytes.Open(path), columns);
        try
        {
            file.Index();
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public string PlaceOf(int index) => $"line {lines[index]}";

    public Row Read(int index)
    {
        var record = CsvRecord.Parse(RowBytes.Read(handle, path, places[index]));
        if (record.Problem is null && record.Fields.Count == names.Count)
        {
            return new Row(ToJson(record.Fields));
        }

        throw new JsonException(record.Problem ?? $"has {record.Fields.Count} fields where the first line names {names.Count}");
    }

    public void Dispose() => handle.Dispose();

    private static string?[] Described(DatasetColumns columns) =>
        [columns.Messages, columns.History, columns.Images, columns.Tools, columns.Videos, columns.Audios, columns.Objects];

    private void Index()
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        var buffer = new byte[1 << 18];
        var read = stream.ReadAtLeast(buffer, 64, throwOnEndOfStream: false);
        var head = buffer.AsSpan(0, read);
        RowBytes.RefusePointer(path, head);
        if (Utf8Check.OtherEncoding(head) is { } other)
        {
            throw new ConfigException($"data file {path} is {other}; {Utf8Check.SaveIt(other)}");
        }

        var (scanner, line, quoteLine, recordLine) = (default(CsvScanner), 1, 0, 1);
        long at = Utf8Check.MarkLength(head);
        var start = at;
        var hasHeader = false;
        byte last = 0;
        for (var from = (int)at; read > 0; read = stream.Read(buffer), from = 0)
        {
            for (; from < read; from++, at++)
            {
                var value = buffer[from];
                var wasOpen = scanner.IsOpen;
                var isEnd = scanner.Next(value) == CsvScanner.Sort.RecordEnd;
                quoteLine = !wasOpen && scanner.IsOpen ? line : quoteLine;
                if (value is (byte)'\r' || (value is (byte)'\n' && last != '\r'))
                {
                    line++;
                }

                if (isEnd)
                {
                    End(at);
                    (start, recordLine) = (at + 1, line);
                }

                last = value;
            }
        }

        if (scanner.IsOpen)
        {
            throw new ConfigException($"data file {path}: the quote that opens in line {quoteLine} is never closed; a quote within a field is written twice");
        }

        End(at);
        if (!hasHeader)
        {
            throw new ConfigException($"data file {path} is empty; its first line must name the columns");
        }

        void End(long end)
        {
            if (end == start)
            {
                return; // a blank line, or the second byte of a line's end
            }

            if (hasHeader)
            {
                places.Add(start, end);
                lines.Add(recordLine);
                return;
            }

            hasHeader = true;
            ReadNames(RowBytes.Read(handle, path, (start, (int)Math.Min(end - start, Array.MaxLength))));
        }
    }

    private void ReadNames(byte[] header)
    {
        var record = CsvRecord.Parse(header);
        if (record.Problem is { } problem)
        {
            throw new ConfigException($"data file {path}: its first line, which names the columns, {problem}");
        }

        names = [.. record.Fields.Select(name => name.Trim())];
        if (names is [var only] && Array.Find<char>([';', '\t', '|'], only.Contains) is var mark and not '\0')
        {
            throw new ConfigException($"data file {path}: its columns are parted by {(mark == '\t' ? "tabs" : $"'{mark}'")}, where commas are needed");
        }

        // A column without a name, such as an index that pandas writes, is left out.
        if (names.Where(name => name.Length > 0).GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new ConfigException($"data file {path}: its first line names the column '{Brief.Of(twice.Key)}' {twice.Count()} times");
        }
    }

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
