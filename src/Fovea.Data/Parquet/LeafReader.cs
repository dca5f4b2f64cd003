using System.Runtime.InteropServices;
using System.Text;
using ParquetSharp;

namespace Fovea.Data.Parquet;

/// <summary>The cells of a leaf in a group of rows, those of one row at a time: truth, whole numbers, fractions, bytes and text.</summary>
internal static class LeafReader
{
    // Levels and places of values only: a value is copied out of its page when its row is asked for.
    private const int Batch = 256;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Whether values of the physical type are read: all but INT96, which nothing writes any more.</summary>
    public static bool Reads(PhysicalType? type) => type is PhysicalType.Boolean or PhysicalType.Int32 or PhysicalType.Int64 or PhysicalType.Float
        or PhysicalType.Double or PhysicalType.ByteArray or PhysicalType.FixedLenByteArray;

    public static IEnumerable<ArraySegment<ParquetCell>> Rows(RowGroupReader group, ParquetNode leaf) => leaf.Type switch
    {
        PhysicalType.Boolean => Rows<bool>(group, leaf, value => value),
        PhysicalType.Int32 => Rows<int>(group, leaf, value => (long)value),
        PhysicalType.Int64 => Rows<long>(group, leaf, value => value),
        PhysicalType.Float => Rows<float>(group, leaf, value => (double)value),
        PhysicalType.Double => Rows<double>(group, leaf, value => value),
        PhysicalType.ByteArray => Rows<ByteArray>(group, leaf, value => Bytes(leaf, value.Pointer, value.Length)),
        _ => Rows<FixedLenByteArray>(group, leaf, value => Bytes(leaf, value.Pointer, leaf.Width)),
    };

    private static IEnumerable<ArraySegment<ParquetCell>> Rows<T>(RowGroupReader group, ParquetNode leaf, Func<T, object> convert)
        where T : unmanaged
    {
        using var column = (ColumnReader<T>)group.Column(leaf.Leaf);
        var (defined, repeated, values) = (new short[Batch], new short[Batch], new T[Batch]);
        var row = new List<ParquetCell>();
        while (column.HasNext)
        {
            // Within one page: the values point into it until the next call.
            var count = (int)column.ReadBatch(Batch, defined, repeated, values, out var present);
            if (count == 0)
            {
                throw new InvalidDataException("values end too early");
            }

            for (int i = 0, value = 0; i < count; i++)
            {
                if (repeated[i] == 0 && row.Count > 0)
                {
                    yield return row.ToArray();
                    row.Clear();
                }

                var isThere = defined[i] == leaf.Defined;
                if (isThere && value == present)
                {
                    throw new InvalidDataException("values end too early");
                }

                row.Add(new ParquetCell(repeated[i], defined[i], isThere ? convert(values[value++]) : null));
            }
        }

        if (row.Count > 0)
        {
            yield return row.ToArray();
        }
    }

    private static object Bytes(ParquetNode leaf, nint pointer, int length)
    {
        var bytes = new byte[length];
        if (length > 0)
        {
            Marshal.Copy(pointer, bytes, 0, length);
        }

        if (!leaf.IsText)
        {
            return bytes;
        }

        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException($"text in '{leaf.Name}' is not UTF-8");
        }
    }
}
