using Fovea.Data.Tables;
using ParquetSharp;

namespace Fovea.Data.Parquet;

/// <summary>
/// Reads columns of truth, numbers, bytes and text, in lists and structures too, out of a parquet file. Goes page by page, so that a row group of many
/// gigabytes (pyarrow makes one of a million rows) takes the memory of a page (docs/decisions/parquet.md). Whatever else the file holds is left alone.
/// </summary>
internal sealed class ParquetFile : ITable
{
    // Read ahead of a page; without a buffered stream ParquetSharp holds a column's whole part of a row group.
    private const int Ahead = 1 << 16;
    private readonly string path;
    private readonly ReaderProperties properties;
    private readonly ParquetFileReader reader;
    private readonly IReadOnlyList<ParquetNode> columns;

    /// <exception cref="ConfigException">The file is missing, damaged or no parquet file.</exception>
    public ParquetFile(string path)
    {
        this.path = path;
        CheckEnd();

        // The C library's allocator gives large blocks back at once; the default one keeps them.
        properties = ReaderProperties.WithMemoryPool(MemoryPool.SystemMemoryPool());
        properties.EnableBufferedStream();
        properties.BufferSize = Ahead;
        try
        {
            reader = new ParquetFileReader(path, properties);
            var meta = reader.FileMetaData;
            (Rows, Groups) = (meta.NumRows, meta.NumRowGroups);
            columns = SchemaTree.Read(meta.Schema);
        }
        catch (Exception e) when (IsDamage(e))
        {
            reader?.Dispose();
            properties.Dispose();
            throw Problem($"its footer is damaged: {Reason(e)}; copy or download the file again");
        }
    }

    public long Rows { get; }

    /// <summary>Its row groups.</summary>
    public int Groups { get; }

    public IEnumerable<string> Names => columns.Select(column => column.Name);

    public bool HoldsBytes(string name) => columns.Where(column => column.Name == name)
        .Any(column => Leaves(column).Any(leaf => leaf.Type is PhysicalType.ByteArray or PhysicalType.FixedLenByteArray));

    public IEnumerable<object?[]> ReadRows(IReadOnlyList<string> names, int? group = null)
    {
        var columns = names.Select(name => Read(name, group).GetEnumerator()).ToArray();
        try
        {
            var count = group is null ? Rows : Guarded(null, 0, () => RowsOf(group.Value));
            var values = new object?[columns.Length];
            for (var row = 0L; row < count; row++)
            {
                for (var i = 0; i < columns.Length; i++)
                {
                    values[i] = columns[i].MoveNext() ? columns[i].Current : null;
                }

                yield return values;
            }
        }
        finally
        {
            Array.ForEach(columns, column => column.Dispose());
        }
    }

    /// <summary>
    /// The values of one column, row after row: null, truth, a long, a double, text, bytes, a list of such, or named fields of such.
    /// </summary>
    /// <param name="group">One row group alone; null is all.</param>
    public IEnumerable<object?> Read(string name, int? group = null)
    {
        var column = columns.FirstOrDefault(c => c.Name == name)
            ?? throw Problem($"has no column '{name}'; it has {string.Join(", ", Names)}");
        if (column.Leaves == 0 || !Leaves(column).All(leaf => LeafReader.Reads(leaf.Type)))
        {
            throw Problem($"column '{name}' holds values of a type that is not read; it must hold text, bytes or numbers, or lists or structures of them");
        }

        return Records(column, group);
    }

    public void Dispose()
    {
        reader.Dispose();
        properties.Dispose();
    }

    private static IEnumerable<ParquetNode> Leaves(ParquetNode column) => Enumerable.Range(column.Leaf, column.Leaves).Select(column.LeafAt);

    private static bool IsDamage(Exception e) => e is ParquetException or InvalidDataException or IOException or ArgumentException or OverflowException
        or InvalidCastException or IndexOutOfRangeException or NotSupportedException or OutOfMemoryException;

    /// <summary>What the native library says, on one line and without the type of its exception.</summary>
    private static string Reason(Exception e)
    {
        var message = e.Message.ReplaceLineEndings(" ").Trim();
        const string before = "(message: '", behind = "')";
        var at = message.IndexOf(before, StringComparison.Ordinal);
        return at < 0 || !message.EndsWith(behind, StringComparison.Ordinal) ? message : message[(at + before.Length)..^behind.Length].TrimEnd();
    }

    private ConfigException Problem(string problem) => new($"data file {path}: {problem}");

    /// <summary>Every parquet file ends with its mark: one that was cut off, or is something else, is distinguished from one with damage inside.</summary>
    private void CheckEnd()
    {
        var end = new byte[4];
        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            RandomAccess.Read(handle, end, Math.Max(0, RandomAccess.GetLength(handle) - end.Length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"data file {path} cannot be opened: {e.Message}");
        }

        if (!end.AsSpan().SequenceEqual("PAR1"u8))
        {
            throw Problem("is not a parquet file, or cut off; copy or download it again");
        }
    }

    private IEnumerable<object?> Records(ParquetNode column, int? only)
    {
        var row = 0L;
        for (var number = only ?? 0; number < (only + 1 ?? Groups); number++)
        {
            using var group = Guarded(column, row, () => Group(number, column));
            var leaves = Leaves(column).Select(leaf => LeafReader.Rows(group, leaf).GetEnumerator()).ToArray();
            try
            {
                var cells = new ArraySegment<ParquetCell>[leaves.Length];
                while (Guarded(column, row, leaves[0].MoveNext))
                {
                    yield return Guarded(column, row, () =>
                    {
                        for (var i = 0; i < leaves.Length; i++)
                        {
                            cells[i] = i == 0 || leaves[i].MoveNext() ? leaves[i].Current : default;
                        }

                        return ParquetRecords.Value(column, cells);
                    });
                    row++;
                }
            }
            finally
            {
                foreach (var leaf in leaves)
                {
                    leaf.Dispose();
                }
            }
        }
    }

    private long RowsOf(int group)
    {
        using var one = reader.RowGroup(group);
        return one.MetaData.NumRows;
    }

    private RowGroupReader Group(int number, ParquetNode column)
    {
        var group = reader.RowGroup(number);
        foreach (var leaf in Leaves(column))
        {
            using var meta = group.MetaData.GetColumnChunkMetaData(leaf.Leaf);
            if (meta.Compression is Compression.Lzo or Compression.Bz2)
            {
                group.Dispose();
                throw Problem($"is compressed with {meta.Compression.ToString().ToUpperInvariant()}, which is not read; write it again with Zstandard "
                    + "(in Python: pyarrow.parquet.write_table(pyarrow.parquet.read_table(old), new, compression='zstd')");
            }
        }

        return group;
    }

    private T Guarded<T>(ParquetNode? column, long row, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (IsDamage(e))
        {
            var place = column is null ? string.Empty : $"column '{column.Name}', ";
            throw Problem($"{place}row {row + 1}: a page is damaged: {Reason(e)}; copy or download the file again");
        }
    }
}
