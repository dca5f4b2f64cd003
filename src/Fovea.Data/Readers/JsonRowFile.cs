using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Readers;

/// <summary>
/// Random access to the rows of a JSON array or of JSON lines. Only each row's place is kept (12 bytes a row), so files of any size serve;
/// rows may be read from several threads at once.
/// </summary>
internal sealed class JsonRowFile : IRowReader
{
    private readonly SafeFileHandle handle;
    private readonly RowPlaces places;
    private FileLines lines;

    private JsonRowFile(string path, SafeFileHandle handle)
    {
        Path = path;
        this.handle = handle;
        places = new RowPlaces(path);
        lines = new FileLines(handle, 0);
    }

    public string Path { get; }

    public int Count => places.Count;

    /// <summary>Finds the rows. A file that is missing, unreadable or not JSON is a <see cref="ConfigException"/> that names the place.</summary>
    public static JsonRowFile Open(string path)
    {
        var file = new JsonRowFile(path, RowBytes.Open(path));
        try
        {
            file.Index();
            return file;
        }
        catch (JsonException e)
        {
            file.Dispose();
            throw new ConfigException($"data file {path} {e.Message}");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>One row, counted from 0. Throws <see cref="JsonException"/> where it is malformed, not UTF-8, or gives a key twice.</summary>
    public Row Read(int index) => JsonRow.Read(handle, Path, places[index], lines);

    public void Dispose() => handle.Dispose();

    private void Index()
    {
        using var stream = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        var head = new byte[4];
        var filled = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        if (Utf8Check.OtherEncoding(head.AsSpan(0, filled)) is { } other)
        {
            throw new ConfigException($"data file {Path} is {other}; {Utf8Check.SaveIt(other)}");
        }

        var start = Utf8Check.MarkLength(head.AsSpan(0, filled));
        lines = new FileLines(handle, start);
        stream.Position = start;
        int first;
        do
        {
            first = stream.ReadByte();
        }
        while (first is ' ' or '\t' or '\r' or '\n');

        stream.Position = start;
        if (first == '[')
        {
            IndexArray(new JsonStream(stream, start));
            return;
        }

        if (LeadingComment.Problem(stream) is { } comment)
        {
            throw new ConfigException($"data file {Path} {comment}");
        }

        stream.Position = start;
        IndexLines(stream, start);
        stream.Position = start;
        if (first == '{' && JsonRowShape.Misfit(new JsonStream(stream, start), places[0].Start + places[0].Length) is { } shape)
        {
            throw new ConfigException($"data file {Path} {shape}");
        }
    }

    private void IndexArray(JsonStream json)
    {
        long rowStart = 0;
        json.ReadAll((ref Utf8JsonReader reader, long offset) =>
        {
            if (reader.CurrentDepth == 1)
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        rowStart = offset + reader.TokenStartIndex;
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        places.Add(rowStart, offset + reader.BytesConsumed);
                        break;
                    default:
                        places.Add(offset + reader.TokenStartIndex, offset + reader.BytesConsumed);
                        break;
                }
            }

            return true;
        });
    }

    private void IndexLines(FileStream stream, long offset)
    {
        var buffer = new byte[1 << 18];
        var lineStart = offset;
        var blank = true;
        for (int read; (read = stream.Read(buffer)) > 0; offset += read)
        {
            for (var from = 0; from < read;)
            {
                var length = buffer.AsSpan(from, read - from).IndexOf((byte)'\n');
                var isWhole = length >= 0;
                var line = buffer.AsSpan(from, isWhole ? length : read - from);
                blank &= line.IndexOfAnyExcept(" \t\r"u8) < 0;
                from += line.Length;
                if (isWhole)
                {
                    if (!blank)
                    {
                        places.Add(lineStart, offset + from);
                    }

                    lineStart = offset + ++from;
                    blank = true;
                }
            }
        }

        if (!blank)
        {
            places.Add(lineStart, offset);
        }
    }
}
