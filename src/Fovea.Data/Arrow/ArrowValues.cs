using System.Text;
using Apache.Arrow;
using Apache.Arrow.Arrays;
using Apache.Arrow.Types;

namespace Fovea.Data.Arrow;

/// <summary>Single values out of Arrow's columns: null, truth, a long, a double, text, bytes, a list of such, or named fields of such.</summary>
internal static class ArrowValues
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Whether values of the type are read: all but times, decimals and unions.</summary>
    public static bool Reads(IArrowType type) => type switch
    {
        NullType or BooleanType or NumberType or StringType or LargeStringType or StringViewType or BinaryType or LargeBinaryType or BinaryViewType
            or FixedSizeBinaryType => !IsDecimal(type),
        DictionaryType dictionary => Reads(dictionary.ValueType),
        NestedType nested => type is not (UnionType or RunEndEncodedType) && nested.Fields.All(field => Reads(field.DataType)),
        _ => false,
    };

    // To the library decimals are bytes of fixed length.
    private static bool IsDecimal(IArrowType type) => type is Decimal32Type or Decimal64Type or Decimal128Type or Decimal256Type;

    /// <summary>Whether there is text or bytes in values of the type.</summary>
    public static bool HoldsBytes(IArrowType type) => type switch
    {
        StringType or LargeStringType or StringViewType or BinaryType or LargeBinaryType or BinaryViewType or FixedSizeBinaryType => true,
        DictionaryType dictionary => HoldsBytes(dictionary.ValueType),
        NestedType nested => nested.Fields.Any(field => HoldsBytes(field.DataType)),
        _ => false,
    };

    /// <summary>Whether values of the type are places in a dictionary, anywhere within.</summary>
    public static bool HasDictionary(IArrowType type) =>
        type is DictionaryType || (type is NestedType nested && nested.Fields.Any(field => HasDictionary(field.DataType)));

    /// <exception cref="InvalidDataException">Text is not UTF-8.</exception>
    public static object? At(IArrowArray array, int index) => array is NullArray || array.IsNull(index) ? null : array switch
    {
        BooleanArray values => values.GetValue(index),
        Int8Array values => (long)values.Values[index],
        Int16Array values => (long)values.Values[index],
        Int32Array values => (long)values.Values[index],
        Int64Array values => values.Values[index],
        UInt8Array values => (long)values.Values[index],
        UInt16Array values => (long)values.Values[index],
        UInt32Array values => (long)values.Values[index],
        UInt64Array values => values.Values[index] is var number && number <= long.MaxValue ? (long)number : (double)number,
        HalfFloatArray values => (double)values.Values[index],
        FloatArray values => (double)values.Values[index],
        DoubleArray values => values.Values[index],

        // Text is bytes with a meaning, so it comes first.
        StringArray values => Text(values.GetBytes(index)),
        LargeStringArray values => Text(values.GetBytes(index)),
        StringViewArray values => Text(values.GetBytes(index)),
        BinaryArray values => values.GetBytes(index).ToArray(),
        LargeBinaryArray values => values.GetBytes(index).ToArray(),
        BinaryViewArray values => values.GetBytes(index).ToArray(),
        FixedSizeBinaryArray values => values.GetBytes(index).ToArray(),
        DictionaryArray values => At(values.Dictionary, checked((int)(long)At(values.Indices, index)!)),
        MapArray values => Pairs(values.KeyValues, values.ValueOffsets[index], values.ValueOffsets[index + 1]),
        ListArray values => Items(values.Values, values.ValueOffsets[index], values.ValueOffsets[index + 1]),
        LargeListArray values => Items(values.Values, checked((int)values.ValueOffsets[index]), checked((int)values.ValueOffsets[index + 1])),
        FixedSizeListArray values => Items(values.GetSlicedValues(index)),
        ListViewArray values => Items(values.GetSlicedValues(index)),
        LargeListViewArray values => Items(values.GetSlicedValues(index)),
        StructArray values => Fields(values, index),
        _ => throw new InvalidDataException($"values of the type {array.Data.DataType.Name} are not read"),
    };

    private static List<object?> Items(IArrowArray values) => Items(values, 0, values.Length);

    private static List<object?> Items(IArrowArray values, int from, int to)
    {
        if (from < 0 || to < from || to > values.Length)
        {
            throw new InvalidDataException("a list reaches beyond its values");
        }

        var items = new List<object?>(to - from);
        for (var i = from; i < to; i++)
        {
            items.Add(At(values, i));
        }

        return items;
    }

    private static List<KeyValuePair<string, object?>> Pairs(StructArray pairs, int from, int to)
    {
        var fields = new List<KeyValuePair<string, object?>>();
        for (var i = from; i < to; i++)
        {
            fields.Add(new(At(pairs.Fields[0], i)?.ToString() ?? string.Empty, At(pairs.Fields[1], i)));
        }

        return fields;
    }

    private static List<KeyValuePair<string, object?>> Fields(StructArray values, int index)
    {
        var names = ((StructType)values.Data.DataType).Fields;
        var fields = new List<KeyValuePair<string, object?>>(names.Count);
        for (var i = 0; i < names.Count; i++)
        {
            fields.Add(new(names[i].Name, At(values.Fields[i], index)));
        }

        return fields;
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException("text is not UTF-8");
        }
    }
}
