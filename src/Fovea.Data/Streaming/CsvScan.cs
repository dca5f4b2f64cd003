using Fovea.Data.Datasets;
using Fovea.Data.Readers;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Streaming;

/// <summary>The rows of a CSV file, record after record.</summary>
internal sealed class CsvScan : IRowScan
{
    private readonly string path;
    private readonly ByteWindow bytes;
    private readonly SafeFileHandle handle;
    private readonly CsvColumns columns;
    private readonly long first;

    /// <exception cref="ConfigException">The file is missing, empty, of another encoding, or its first line names no columns.</exception>
    public CsvScan(string path, DatasetColumns? described)
    {
        this.path = path;
        handle = RowBytes.Open(path);
        bytes = new ByteWindow(path);
        try
        {
            bytes.Advance(CsvColumns.CheckHead(path, bytes.Rest));
            var at = bytes.At;
            var header = NextRecord(ref at, out var start, out var length) ? RowBytes.Read(handle, path, (start, length)) : null;
            columns = CsvColumns.Of(path, header, described);
            first = at;
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
        return NextRecord(ref at, out start, out length);
    }

    public Row Read(long start, int length) => columns.Row(RowBytes.Read(handle, path, (start, length)));

    public void Dispose()
    {
        bytes.Dispose();
        handle.Dispose();
    }

    private bool NextRecord(ref long at, out long start, out int length)
    {
        start = bytes.At;
        var scanner = default(CsvScanner);
        while (bytes.Rest is { Length: > 0 } rest)
        {
            for (var i = 0; i < rest.Length; i++)
            {
                if (scanner.Next(rest[i]) != CsvScanner.Sort.RecordEnd)
                {
                    continue;
                }

                bytes.Advance(i);
                length = Length(start);
                bytes.Advance(1);
                at = bytes.At;
                if (length > 0)
                {
                    return true;
                }

                // A blank line, or the second byte of a line's end.
                start = bytes.At;
                rest = bytes.Rest;
                i = -1;
            }

            bytes.Advance(rest.Length);
        }

        if (scanner.IsOpen)
        {
            throw new ConfigException(
                $"data file {path}: a quote that opens in the record at byte {start + 1} is never closed; a quote within a field is written twice");
        }

        length = Length(start);
        at = bytes.At;
        return length > 0;
    }

    private int Length(long start) => bytes.At - start <= Array.MaxLength ? (int)(bytes.At - start)
        : throw new ConfigException($"data file {path}: a record begins at byte {start + 1} that is longer than a row can be; is a quote missing?");
}
