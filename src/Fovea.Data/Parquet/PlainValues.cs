using System.Buffers.Binary;
using System.Text;

namespace Fovea.Data.Parquet;

/// <summary>Values in plain encoding (apache/parquet-format, Encodings.md): truth, whole numbers, fractions, bytes and text.</summary>
internal static class PlainValues
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Whether values of the physical type are read: all but INT96, which nothing writes any more.</summary>
    public static bool Reads(int type) => type is 0 or 1 or 2 or 4 or 5 or 6 or 7;

    /// <exception cref="InvalidDataException">They end too early.</exception>
    public static object[] Read(ParquetNode leaf, ReadOnlySpan<byte> body, int count)
    {
        if (count < 0 || (leaf.Type != 0 && count > body.Length) || count > body.Length * 8L)
        {
            throw new InvalidDataException("values end too early");
        }

        var values = new object[count];
        var at = 0;
        for (var i = 0; i < count; i++)
        {
            switch (leaf.Type)
            {
                case 0:
                    values[i] = ((body[i >> 3] >> (i & 7)) & 1) == 1;
                    break;
                case 1:
                    values[i] = (long)BinaryPrimitives.ReadInt32LittleEndian(Take(body, ref at, 4));
                    break;
                case 2:
                    values[i] = BinaryPrimitives.ReadInt64LittleEndian(Take(body, ref at, 8));
                    break;
                case 4:
                    values[i] = (double)BinaryPrimitives.ReadSingleLittleEndian(Take(body, ref at, 4));
                    break;
                case 5:
                    values[i] = BinaryPrimitives.ReadDoubleLittleEndian(Take(body, ref at, 8));
                    break;
                case 6:
                    values[i] = Bytes(leaf, Take(body, ref at, BinaryPrimitives.ReadInt32LittleEndian(Take(body, ref at, 4))));
                    break;
                default:
                    values[i] = Bytes(leaf, Take(body, ref at, leaf.Width));
                    break;
            }
        }

        return values;
    }

    private static object Bytes(ParquetNode leaf, ReadOnlySpan<byte> bytes)
    {
        if (!leaf.IsText)
        {
            return bytes.ToArray();
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

    private static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> body, ref int at, int count)
    {
        if (count < 0 || count > body.Length - at)
        {
            throw new InvalidDataException("values end too early");
        }

        at += count;
        return body.Slice(at - count, count);
    }
}
