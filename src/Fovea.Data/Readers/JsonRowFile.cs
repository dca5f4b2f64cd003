using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Datasets;

/// <summary>
/// Random access to the rows of a JSON array or of JSON lines. Only each row's place is kept (12 bytes a row), so files of any size serve;
/// rows may be read from several threads at once.
/// </summary>
public sealed class JsonRowFile : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly List<long> starts = [];
    private readonly List<int> lengths = [];

    private JsonRowFile(string path, SafeFileHandle handle)
    {
        Path = path;
        this.handle = handle;
    }

    public string Path { get; }

    public int Count => starts.Count;

    /// <summary>Finds the rows. A file that is missing, unreadable or not JSON is a <see cref="ConfigException"/> that names the place.</summary>
    public static JsonRowFile Open(string path)
    {
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            throw new ConfigException($"data file {path} {TextFile.WhyNot(path, e)}");
        }

        var file = new JsonRowFile(path, handle);
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
    public JsonDocument Read(int index)
    {
        var bytes = new byte[lengths[index]];
        var filled = 0;
        while (filled < bytes.Length)
        {
            var read = RandomAccess.Read(this.handle, bytes.AsSpan(filled), starts[index] + filled);
            if (read == 0)
            {
                throw new JsonException($"cannot be read: {Path} has become shorter since it was opened");
            }

            filled += read;
        }

        try
        {
            return JsonText.Parse(TextFile.Check(bytes, name: null));
        }
        catch (ConfigException e)
        {
            throw new JsonException(e.Message);
        }
    }

    public void Dispose() => this.handle.Dispose();

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
        if (first == '{' && JsonRowShape.Misfit(new JsonStream(stream, start), starts[0] + lengths[0]) is { } shape)
        {
            throw new ConfigException($"data file {Path} {shape}");
        }
    }

    private void Add(long start, long end)
    {
        if (end - start > Array.MaxLength)
        {
            throw new ConfigException(
                $"data file {Path}: row {Count + 1} is {end - start} bytes long, which is more than a row can have; is a line break missing?");
        }

        starts.Add(start);
        lengths.Add((int)(end - start));
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
                        Add(rowStart, offset + reader.BytesConsumed);
                        break;
                    default:
                        Add(offset + reader.TokenStartIndex, offset + reader.BytesConsumed);
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
            for (var i = 0; i < read; i++)
            {
                var c = buffer[i];
                if (c == '\n')
                {
                    if (!blank)
                    {
                        Add(lineStart, offset + i);
                    }

                    lineStart = offset + i + 1;
                    blank = true;
                }
                else if (c is not ((byte)' ' or (byte)'\t' or (byte)'\r'))
                {
                    blank = false;
                }
            }
        }

        if (!blank)
        {
            Add(lineStart, offset);
        }
    }
}
