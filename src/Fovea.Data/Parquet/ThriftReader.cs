using System.Buffers.Binary;

namespace Fovea.Data.Parquet;

/// <summary>
/// Thrift's compact protocol, read without a schema: a struct is its fields by number, integers are long, text is bytes. Malformed input ends in an
/// <see cref="InvalidDataException"/>.
/// </summary>
internal ref struct ThriftReader(ReadOnlySpan<byte> bytes)
{
    private const int Deepest = 32;
    private readonly ReadOnlySpan<byte> bytes = bytes;

    /// <summary>Bytes read so far.</summary>
    public int Position { get; private set; }

    public Dictionary<int, object> Struct(int depth = 0)
    {
        if (depth > Deepest)
        {
            throw new InvalidDataException("nested too deep");
        }

        var fields = new Dictionary<int, object>();
        var id = 0;
        while (true)
        {
            var header = Byte();
            if (header == 0)
            {
                return fields;
            }

            id = header >> 4 == 0 ? (int)Number() : id + (header >> 4);
            fields[id] = (header & 15) switch
            {
                1 => true,
                2 => false,
                var type => Value(type, depth),
            };
        }
    }

    private object Value(int type, int depth)
    {
        switch (type)
        {
            case 1 or 2:
                return Byte() == 1;
            case 3:
                return (long)(sbyte)Byte();
            case 4 or 5 or 6:
                return Number();
            case 7:
                return BinaryPrimitives.ReadDoubleLittleEndian(Take(8));
            case 8:
                return Take((int)Unsigned()).ToArray();
            case 9 or 10:
                var header = Byte();
                var count = header >> 4 == 15 ? (int)Unsigned() : header >> 4;
                var items = new List<object>();
                for (var i = 0; i < count; i++)
                {
                    items.Add(Value(header & 15, depth + 1));
                }

                return items;
            case 12:
                return Struct(depth + 1);
            default:
                throw new InvalidDataException($"a field of the unknown type {type}");
        }
    }

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > bytes.Length - Position)
        {
            throw new InvalidDataException("it ends too early");
        }

        Position += count;
        return bytes.Slice(Position - count, count);
    }

    private long Number()
    {
        var value = Unsigned();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    private ulong Unsigned()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var part = Byte();
            value |= (ulong)(part & 127) << shift;
            if (part < 128)
            {
                return value;
            }
        }

        throw new InvalidDataException("a number without an end");
    }
}
