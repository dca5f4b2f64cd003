using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Fovea.Data.Readers;
using Fovea.Data.Tables;

namespace Fovea.Data.Arrow;

/// <summary>
/// Reads an Arrow file, of the format of streams (what Hugging Face's datasets save and cache) or of files, a batch of rows at a time: one batch is in memory,
/// whatever the file's size. LZ4 and Zstandard are unpacked.
/// </summary>
internal sealed class ArrowFile : ITable
{
    private static readonly byte[] EndOfStream = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    private readonly string path;
    private readonly bool isStream;
    private readonly Schema schema;

    /// <exception cref="ConfigException">The file is missing, damaged or no Arrow file.</exception>
    public ArrowFile(string path)
    {
        this.path = path;
        isStream = IsStream();
        using var reader = Open();
        schema = Guarded(0, () => reader.Schema ?? throw new InvalidDataException("it has no schema"));
    }

    public IEnumerable<string> Names => schema.FieldsList.Select(column => column.Name);

    public int Groups => 1;

    public bool HoldsBytes(string name) => Column(name) is { } column && ArrowValues.HoldsBytes(schema.FieldsList[column].DataType);

    public IEnumerable<object?[]> ReadRows(IReadOnlyList<string> names, int? group = null)
    {
        var columns = names.Select(name => Column(name) ?? throw Problem($"has no column '{name}'; it has {string.Join(", ", Names)}")).ToArray();
        foreach (var column in columns.Where(column => !ArrowValues.Reads(schema.FieldsList[column].DataType)))
        {
            var field = schema.FieldsList[column];
            throw Problem($"column '{field.Name}' holds values of a type that is not read ({field.DataType.Name}); it must hold text, bytes or numbers, "
                + "or lists or structures of them");
        }

        // A dictionary comes once for all batches, but the library frees it with the first of them: such batches are left to the collector.
        var shared = columns.Any(column => ArrowValues.HasDictionary(schema.FieldsList[column].DataType));
        using var reader = Open();
        var row = 0L;
        while (Guarded(row, reader.ReadNextRecordBatch) is { } batch)
        {
            using var owned = shared ? null : batch;
            var values = new object?[columns.Length];
            for (var i = 0; i < batch.Length; i++, row++)
            {
                Guarded(row, () =>
                {
                    for (var column = 0; column < values.Length; column++)
                    {
                        values[column] = ArrowValues.At(batch.Column(columns[column]), i);
                    }

                    return true;
                });
                yield return values;
            }
        }
    }

    public void Dispose()
    {
        // Each reading has a handle of its own.
    }

    private int? Column(string name)
    {
        for (var i = 0; i < schema.FieldsList.Count; i++)
        {
            if (schema.FieldsList[i].Name == name)
            {
                return i;
            }
        }

        return null;
    }

    private ArrowStreamReader Open()
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        return isStream ? new ArrowStreamReader(stream, new CompressionCodecFactory()) : new ArrowFileReader(stream, new CompressionCodecFactory());
    }

    /// <summary>
    /// Looks at both ends: a stream that was cut off between two batches is one that ends too early, and nothing else in it says so.
    /// </summary>
    private bool IsStream()
    {
        var (start, end) = (new byte[8], new byte[8]);
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            RandomAccess.Read(handle, start, 0);
            RandomAccess.Read(handle, end, Math.Max(0, RandomAccess.GetLength(handle) - end.Length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"data file {path} cannot be opened: {e.Message}");
        }

        RowBytes.RefusePointer(path, start);
        var isFile = start.AsSpan().StartsWith("ARROW1"u8);
        if (!isFile && !start.AsSpan().StartsWith(EndOfStream.AsSpan(0, 4)))
        {
            throw Problem("is not an Arrow file: it begins neither as a stream (as datasets writes it) nor with ARROW1; convert it, or name it by its kind");
        }

        if (isFile ? !end.AsSpan().EndsWith("ARROW1"u8) : !end.AsSpan().SequenceEqual(EndOfStream))
        {
            throw Problem($"is cut off: it does not end with {(isFile ? "ARROW1" : "the mark of a stream's end")}; copy or download it again, "
                + "or write it anew and close it");
        }

        return !isFile;
    }

    private ConfigException Problem(string problem) => new($"data file {path}: {problem}");

    private T Guarded<T>(long row, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (ConfigException or OutOfMemoryException))
        {
            // The library says what it stumbles over by whatever exception comes up.
            throw Problem($"is damaged at row {row + 1}: {e.Message.ReplaceLineEndings(" ")}; copy or download the file again");
        }
    }
}
