using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Parquet;

/// <summary>
/// Reads columns of truth, numbers, bytes and text, in lists and structures too, out of a parquet file: plain and dictionary encoding
/// (apache/parquet-format). Goes page by page, so that a row group of many gigabytes (pyarrow makes one of a million rows) takes the memory of a page:
/// Parquet.Net 6.1, which was tried first, holds a whole column of a row group, four times over. Whatever else the file holds is left alone.
/// </summary>
internal sealed class ParquetFile : IDisposable
{
    private readonly string path;
    private readonly SafeFileHandle handle;
    private readonly List<Dictionary<int, object>> groups = [];
    private readonly IReadOnlyList<ParquetNode> columns;

    /// <exception cref="ConfigException">The file is missing, damaged or no parquet file.</exception>
    public ParquetFile(string path)
    {
        this.path = path;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigException($"data file {path} cannot be opened: {e.Message}");
        }

        try
        {
            var meta = Footer();
            Rows = (long)meta[3];
            groups.AddRange(((List<object>)meta[4]).Cast<Dictionary<int, object>>());
            columns = SchemaTree.Read([.. ((List<object>)meta[2]).Cast<Dictionary<int, object>>()]);
        }
        catch (Exception e) when (e is InvalidDataException or KeyNotFoundException or InvalidCastException or IOException)
        {
            handle.Dispose();
            throw Problem($"its footer is damaged: {e.Message}; copy or download the file again");
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public long Rows { get; }

    public IEnumerable<string> Names => columns.Select(column => column.Name);

    /// <summary>Whether there is text or bytes in a column, which could be images, and not numbers alone.</summary>
    public bool HoldsBytes(string name) => columns.Where(column => column.Name == name)
        .Any(column => Enumerable.Range(column.Leaf, column.Leaves).Any(leaf => column.LeafAt(leaf).Type is 6 or 7));

    /// <summary>
    /// The values of one column, row after row: null, truth, a long, a double, text, bytes, a list of such, or named fields of such.
    /// </summary>
    public IEnumerable<object?> Read(string name)
    {
        var column = columns.FirstOrDefault(c => c.Name == name)
            ?? throw Problem($"has no column '{name}'; it has {string.Join(", ", Names)}");
        for (var leaf = column.Leaf; leaf < column.Leaf + column.Leaves; leaf++)
        {
            if (!PlainValues.Reads(column.LeafAt(leaf).Type))
            {
                throw Problem($"column '{name}' holds values of a type that is not read; it must hold text, bytes or numbers, or lists or structures of them");
            }
        }

        return groups.SelectMany(group => Records(group, column));
    }

    public void Dispose() => handle.Dispose();

    private ConfigException Problem(string problem) => new($"data file {path}: {problem}");

    private Dictionary<int, object> Footer()
    {
        var length = RandomAccess.GetLength(handle);
        var tail = length < 12 ? [] : ReadBytes(length - 8, 8);
        if (tail.Length < 8 || !tail.AsSpan(4).SequenceEqual("PAR1"u8))
        {
            throw Problem("is not a parquet file, or cut off; copy or download it again");
        }

        var size = BinaryPrimitives.ReadInt32LittleEndian(tail);
        if (size < 0 || size > length - 12)
        {
            throw new InvalidDataException($"a footer of {size} bytes in a file of {length}");
        }

        return new ThriftReader(ReadBytes(length - 8 - size, size)).Struct();
    }

    private IEnumerable<object?> Records(Dictionary<int, object> group, ParquetNode column)
    {
        var leaves = Enumerable.Range(column.Leaf, column.Leaves).Select(leaf => ReadChunk(group, column.LeafAt(leaf)).GetEnumerator()).ToArray();
        try
        {
            var cells = new ArraySegment<ParquetCell>[leaves.Length];
            while (leaves[0].MoveNext())
            {
                for (var i = 0; i < leaves.Length; i++)
                {
                    cells[i] = i == 0 || leaves[i].MoveNext() ? leaves[i].Current : default;
                }

                yield return Guarded(() => ParquetRecords.Value(column, cells));
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

    /// <summary>Where a column's pages begin in a group of rows, how they are compressed and how many places they have.</summary>
    private static (int Codec, long Start, long Places) Chunk(Dictionary<int, object> group, ParquetNode column)
    {
        var chunks = (List<object>)group[1];
        var meta = (Dictionary<int, object>)((Dictionary<int, object>)chunks[column.Leaf])[3];
        var pages = (long)meta[9];
        var start = meta.TryGetValue(11, out var dictionary) && (long)dictionary > 0 ? Math.Min((long)dictionary, pages) : pages;
        return ((int)(long)meta[4], start, (long)meta[5]);
    }

    /// <summary>A leaf's cells, those of one row at a time.</summary>
    private IEnumerable<ArraySegment<ParquetCell>> ReadChunk(Dictionary<int, object> group, ParquetNode column)
    {
        var (codec, at, left) = Guarded(() => Chunk(group, column));
        object[] dictionary = [];
        var row = new List<ParquetCell>();
        while (left > 0)
        {
            var (header, headerBytes) = Guarded(() => Header(at));
            var (page, kind) = Guarded(() => (ReadBytes(at + headerBytes, (int)(long)header[3]), (long)header[1]));
            at += headerBytes + page.Length;
            switch (kind)
            {
                case 2:
                    dictionary = Guarded(() => PlainValues.Read(
                        column, Decompress(page, codec, (int)(long)header[2]), (int)(long)((Dictionary<int, object>)header[7])[1]));
                    break;
                case 0 or 3:
                    var cells = Guarded(() => DataPage(header, page, codec, column, dictionary));
                    left -= cells.Length;
                    foreach (var cell in cells)
                    {
                        if (cell.Repeated == 0 && row.Count > 0)
                        {
                            yield return row.ToArray();
                            row.Clear();
                        }

                        row.Add(cell);
                    }

                    break;
            }
        }

        if (row.Count > 0)
        {
            yield return row.ToArray();
        }
    }

    private T Guarded<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or KeyNotFoundException or InvalidCastException or IOException
            or ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            throw Problem($"a page is damaged: {e.Message}; copy or download the file again");
        }
    }

    private (Dictionary<int, object> Header, int Bytes) Header(long at)
    {
        var reader = new ThriftReader(ReadBytes(at, (int)Math.Min(RandomAccess.GetLength(handle) - at, 1 << 16)));
        return (reader.Struct(), reader.Position);
    }

    private ParquetCell[] DataPage(Dictionary<int, object> header, byte[] page, int codec, ParquetNode column, object[] dictionary)
    {
        var isSecond = (long)header[1] == 3;
        var inner = (Dictionary<int, object>)header[isSecond ? 8 : 5];
        var count = (int)(long)inner[1];
        var (repeatedWidth, definedWidth) = (HybridRuns.WidthOf(column.Repeated), HybridRuns.WidthOf(column.Defined));
        int[] repeated, defined;
        byte[] body;
        int from;
        if (isSecond)
        {
            var (definedBytes, repeatedBytes) = ((int)(long)inner[5], (int)(long)inner[6]);
            repeated = HybridRuns.Read(page.AsSpan(0, repeatedBytes), repeatedWidth, count);
            defined = HybridRuns.Read(page.AsSpan(repeatedBytes, definedBytes), definedWidth, count);
            var levels = definedBytes + repeatedBytes;
            var isCompressed = !inner.TryGetValue(7, out var flag) || (bool)flag;
            body = isCompressed ? Decompress(page[levels..], codec, (int)(long)header[2] - levels) : page[levels..];
            from = 0;
        }
        else
        {
            body = Decompress(page, codec, (int)(long)header[2]);
            from = 0;
            repeated = Levels(body, ref from, repeatedWidth, count);
            defined = Levels(body, ref from, definedWidth, count);
        }

        var present = defined.Count(level => level == column.Defined);
        var encoding = (long)inner[isSecond ? 4 : 2];
        object[] values = encoding switch
        {
            0 => PlainValues.Read(column, body.AsSpan(from), present),
            3 when column.Type == 0 => Array.ConvertAll(HybridRuns.Read(body.AsSpan(from + 4), 1, present), bit => (object)(bit == 1)),
            2 or 8 when present == 0 => [],
            2 or 8 => Array.ConvertAll(HybridRuns.Read(body.AsSpan(from + 1), body[from], present), index => Entry(dictionary, index)),
            _ => throw Problem($"column '{column.Name}' has encoding {encoding}, which is not read; write it again plain or with a dictionary "
                + "(in Python: pyarrow.parquet.write_table(pyarrow.parquet.read_table(old), new))"),
        };
        var cells = new ParquetCell[count];
        for (int i = 0, value = 0; i < count; i++)
        {
            cells[i] = new ParquetCell(repeated[i], defined[i], defined[i] == column.Defined ? values[value++] : null);
        }

        return cells;
    }

    private static object Entry(object[] dictionary, int index) =>
        index < dictionary.Length ? dictionary[index] : throw new InvalidDataException("an index beyond the dictionary");

    private static int[] Levels(byte[] body, ref int from, int width, int count)
    {
        if (width == 0)
        {
            return new int[count];
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(from));
        var levels = HybridRuns.Read(body.AsSpan(from + 4, length), width, count);
        from += 4 + length;
        return levels;
    }

    private byte[] Decompress(byte[] page, int codec, int length) => PageCodec.Refused(codec) is { } name
        ? throw Problem($"is compressed with {name}, which is not read; write it again with Zstandard "
            + "(in Python: pyarrow.parquet.write_table(pyarrow.parquet.read_table(old), new, compression='zstd')")
        : PageCodec.Decompress(codec, page, length);

    private byte[] ReadBytes(long at, int count)
    {
        if (at < 0 || count < 0 || count > RandomAccess.GetLength(handle) - at)
        {
            throw new InvalidDataException("it points beyond the end of the file");
        }

        var bytes = new byte[count];
        for (var filled = 0; filled < count;)
        {
            var read = RandomAccess.Read(handle, bytes.AsSpan(filled), at + filled);
            filled += read > 0 ? read : throw new InvalidDataException("the file has become shorter");
        }

        return bytes;
    }
}
