using Fovea.Data.Readers;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Streaming;

/// <summary>The rows of JSON lines, or of a JSON array. Where rows begin and end is seen from brackets and quotes; the rest shows when a row is read.</summary>
internal sealed class JsonScan : IRowScan
{
    private readonly string path;
    private readonly ByteWindow bytes;
    private readonly SafeFileHandle handle;
    private readonly FileLines lines;
    private readonly int first;
    private readonly bool isArray;

    /// <exception cref="ConfigException">The file is missing, of another encoding, or begins with a comment.</exception>
    public JsonScan(string path)
    {
        this.path = path;
        handle = RowBytes.Open(path);
        bytes = new ByteWindow(path);
        try
        {
            var head = bytes.Rest[..Math.Min(4, bytes.Rest.Length)];
            if (Utf8Check.OtherEncoding(head) is { } other)
            {
                throw new ConfigException($"data file {path} is {other}; {Utf8Check.SaveIt(other)}");
            }

            RowBytes.RefusePointer(path, bytes.Rest);
            first = Utf8Check.MarkLength(head);
            lines = new FileLines(handle, first);
            bytes.Advance(first);
            SkipBlank();
            isArray = bytes.Peek == '[';
            if (bytes.Peek is '#' or '/')
            {
                throw Problem("begins with a comment, which JSON does not have");
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public bool Next(ref long at, out long start, out int length)
    {
        bytes.Seek(at == 0 ? first : at);
        return isArray ? NextItem(ref at, out start, out length) : NextLine(ref at, out start, out length);
    }

    public Row Read(long start, int length) => JsonRow.Read(handle, path, (start, length), lines);

    public void Dispose()
    {
        bytes.Dispose();
        handle.Dispose();
    }

    private bool NextLine(ref long at, out long start, out int length)
    {
        start = bytes.At;
        var isBlank = true;
        while (bytes.Rest is { Length: > 0 } rest)
        {
            var end = rest.IndexOf((byte)'\n');
            var line = end < 0 ? rest : rest[..end];
            isBlank &= line.IndexOfAnyExcept(" \t\r"u8) < 0;
            bytes.Advance(line.Length);
            if (end < 0)
            {
                continue;
            }

            length = Length(start);
            bytes.Advance(1);
            at = bytes.At;
            if (!isBlank)
            {
                return true;
            }

            (start, isBlank) = (bytes.At, true);
        }

        length = Length(start);
        at = bytes.At;
        return !isBlank;
    }

    private bool NextItem(ref long at, out long start, out int length)
    {
        SkipBlank();
        var before = bytes.Peek;
        if (at == 0 ? before == '[' : before == ',')
        {
            bytes.Advance(1);
            SkipBlank();
        }
        else if (before != ']')
        {
            throw Problem(before < 0 ? "the list ends without ]; it is cut off" : "a comma or ] belongs between rows of the list");
        }

        (start, length) = (bytes.At, 0);
        if (bytes.Peek == ']')
        {
            return before == ',' ? throw Problem("a comma stands before the end of the list") : false;
        }

        PassValue();
        length = Length(start);
        at = bytes.At;
        return true;
    }

    private void PassValue()
    {
        var (depth, inText, isEscaped) = (0, false, false);
        while (bytes.Rest is { Length: > 0 } rest)
        {
            for (var i = 0; i < rest.Length; i++)
            {
                var value = rest[i];
                if (inText)
                {
                    (inText, isEscaped) = (isEscaped || value != '"', !isEscaped && value == '\\');
                    continue;
                }

                switch (value)
                {
                    case (byte)'"':
                        inText = true;
                        break;
                    case (byte)'{' or (byte)'[':
                        depth++;
                        break;
                    case (byte)',' or (byte)']' when depth == 0:
                        bytes.Advance(i);
                        return;
                    case (byte)'}' or (byte)']' when --depth == 0:
                        bytes.Advance(i + 1);
                        return;
                }
            }

            bytes.Advance(rest.Length);
        }

        throw Problem("the list ends within a row; it is cut off, or a quote is missing");
    }

    private void SkipBlank()
    {
        while (bytes.Rest is { Length: > 0 } rest)
        {
            var blank = rest.IndexOfAnyExcept(" \t\r\n"u8);
            bytes.Advance(blank < 0 ? rest.Length : blank);
            if (blank >= 0)
            {
                return;
            }
        }
    }

    private int Length(long start) => bytes.At - start <= Array.MaxLength ? (int)(bytes.At - start)
        : throw Problem($"a row begins at byte {start + 1} that is longer than a row can be; is a line break missing?");

    private ConfigException Problem(string problem) => new($"data file {path} at byte {bytes.At + 1}: {problem}");
}
