namespace Fovea.Data.Parquet;

/// <summary>Decompression of raw Snappy blocks (google/snappy, format_description.txt).</summary>
internal static class Snappy
{
    /// <exception cref="InvalidDataException">The block is damaged or has another length.</exception>
    public static byte[] Decompress(ReadOnlySpan<byte> source, int length)
    {
        var from = 0;
        var declared = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var part = Next(source, ref from);
            declared |= (ulong)(part & 127) << shift;
            if (part < 128)
            {
                break;
            }

            Check(shift < 28);
        }

        Check(declared == (ulong)length);
        var target = new byte[length];
        var to = 0;
        while (from < source.Length)
        {
            var tag = Next(source, ref from);
            if ((tag & 3) == 0)
            {
                var literal = tag >> 2;
                literal = literal < 60 ? literal : Little(source, ref from, literal - 59);
                Check(literal >= 0 && literal < source.Length - from && literal < length - to);
                source.Slice(from, literal + 1).CopyTo(target.AsSpan(to));
                from += literal + 1;
                to += literal + 1;
                continue;
            }

            var (count, distance) = (tag & 3) switch
            {
                1 => (4 + ((tag >> 2) & 7), ((tag >> 5) << 8) | Next(source, ref from)),
                2 => ((tag >> 2) + 1, Little(source, ref from, 2)),
                _ => ((tag >> 2) + 1, Little(source, ref from, 4)),
            };
            Check(distance > 0 && distance <= to && count <= length - to);
            for (var end = to + count; to < end; to++)
            {
                target[to] = target[to - distance]; // may overlap what it writes: that repeats it
            }
        }

        Check(to == length);
        return target;
    }

    private static int Next(ReadOnlySpan<byte> source, ref int from)
    {
        Check(from < source.Length);
        return source[from++];
    }

    private static int Little(ReadOnlySpan<byte> source, ref int from, int bytes)
    {
        var value = 0;
        for (var i = 0; i < bytes; i++)
        {
            value |= Next(source, ref from) << (8 * i);
        }

        return value;
    }

    private static void Check(bool holds)
    {
        if (!holds)
        {
            throw new InvalidDataException("a Snappy block is damaged");
        }
    }
}
