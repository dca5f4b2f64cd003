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
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"data file {path} cannot be opened: {e.Message}");
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
            throw new ConfigException(
                $"data file {path} is not valid JSON at line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}: {FirstSentence(e.Message)}");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>One row, counted from 0. Throws <see cref="JsonException"/> where a line of JSON lines is malformed.</summary>
    public JsonDocument Read(int index)
    {
        var bytes = new byte[lengths[index]];
        var filled = 0;
        while (filled < bytes.Length)
        {
            var read = RandomAccess.Read(this.handle, bytes.AsSpan(filled), starts[index] + filled);
            if (read == 0)
            {
                throw new JsonException("the file has become shorter since it was opened");
            }

            filled += read;
        }

        return JsonDocument.Parse(bytes);
    }

    public void Dispose() => this.handle.Dispose();

    private static string FirstSentence(string message)
    {
        var end = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? message : message[..end];
    }

    private void Index()
    {
        using var stream = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        long start = 0;
        var first = stream.ReadByte();
        if (first == 0xEF && stream.ReadByte() == 0xBB && stream.ReadByte() == 0xBF)
        {
            start = 3;
            first = stream.ReadByte();
        }

        while (first is ' ' or '\t' or '\r' or '\n')
        {
            first = stream.ReadByte();
        }

        stream.Position = start;
        if (first == '[')
        {
            IndexArray(stream, start);
        }
        else
        {
            IndexLines(stream, start);
        }
    }

    private void Add(long start, long end)
    {
        starts.Add(start);
        lengths.Add(checked((int)(end - start)));
    }

    private void IndexArray(FileStream stream, long offset)
    {
        var buffer = new byte[1 << 18];
        var filled = 0;
        long rowStart = 0;
        var state = default(JsonReaderState);
        while (true)
        {
            var read = stream.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            var reader = new Utf8JsonReader(buffer.AsSpan(0, filled), isFinalBlock: read == 0, state);
            while (reader.Read())
            {
                if (reader.CurrentDepth != 1)
                {
                    continue;
                }

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

            if (read == 0)
            {
                return;
            }

            state = reader.CurrentState;
            var consumed = (int)reader.BytesConsumed;
            buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
            filled -= consumed;
            offset += consumed;
            if (filled == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
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
