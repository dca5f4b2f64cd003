using Fovea.Data.Datasets;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Readers;

/// <summary>
/// The rows of a CSV file (RFC 4180: commas, quotes, a first line that names the columns). All fields are text; of columns that hold lists (messages, images)
/// text that begins as JSON is read as such. Keeps 16 bytes a row.
/// </summary>
internal sealed class CsvRowFile : IRowReader
{
    private readonly string path;
    private readonly SafeFileHandle handle;
    private readonly RowPlaces places;
    private readonly List<int> lines = [];
    private readonly DatasetColumns? described;
    private CsvColumns? columns;

    private CsvRowFile(string path, SafeFileHandle handle, DatasetColumns? described)
    {
        this.path = path;
        this.handle = handle;
        this.described = described;
        places = new RowPlaces(path);
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

    public Row Read(int index) => columns!.Row(RowBytes.Read(handle, path, places[index]));

    public void Dispose() => handle.Dispose();

    private void Index()
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        var buffer = new byte[1 << 18];
        var read = stream.ReadAtLeast(buffer, 64, throwOnEndOfStream: false);
        var head = buffer.AsSpan(0, read);
        long at = CsvColumns.CheckHead(path, head);
        var (scanner, line, quoteLine, recordLine) = (default(CsvScanner), 1, 0, 1);
        var start = at;
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
        columns ??= CsvColumns.Of(path, header: null, described);

        void End(long end)
        {
            if (end == start)
            {
                return; // a blank line, or the second byte of a line's end
            }

            if (columns is not null)
            {
                places.Add(start, end);
                lines.Add(recordLine);
                return;
            }

            columns = CsvColumns.Of(path, RowBytes.Read(handle, path, (start, (int)Math.Min(end - start, Array.MaxLength))), described);
        }
    }
}
