using System.Numerics;

namespace Fovea.Data.Parquet;

/// <summary>Parquet's hybrid of run lengths and packed bits (apache/parquet-format, Encodings.md): small numbers of a fixed width.</summary>
internal static class HybridRuns
{
    /// <summary>Bits that numbers up to <paramref name="most"/> take.</summary>
    public static int WidthOf(int most) => 32 - BitOperations.LeadingZeroCount((uint)most);

    /// <exception cref="InvalidDataException">It ends too early.</exception>
    public static int[] Read(ReadOnlySpan<byte> source, int width, int count)
    {
        var values = new int[count];
        if (width == 0)
        {
            return values;
        }

        var (at, to) = (0, 0);
        while (to < count)
        {
            var header = 0U;
            for (var shift = 0; ; shift += 7)
            {
                var part = Byte(source, at++);
                header |= (uint)(part & 127) << shift;
                if (part < 128)
                {
                    break;
                }
            }

            if ((header & 1) == 0)
            {
                var value = 0;
                for (var i = 0; i < (width + 7) / 8; i++)
                {
                    value |= Byte(source, at++) << (8 * i);
                }

                var run = (int)Math.Min(header >> 1, (uint)(count - to));
                values.AsSpan(to, run).Fill(value);
                to += run;
                continue;
            }

            // Groups of eight numbers, lowest bits first.
            var packed = (int)Math.Min((header >> 1) * 8L, count - to);
            for (var i = 0; i < packed; i++)
            {
                var bit = (long)i * width;
                var value = 0;
                for (var b = 0; b < width; b++, bit++)
                {
                    value |= ((Byte(source, at + (int)(bit >> 3)) >> (int)(bit & 7)) & 1) << b;
                }

                values[to++] = value;
            }

            at = (int)Math.Min(at + ((header >> 1) * (long)width), int.MaxValue);
        }

        return values;
    }

    private static int Byte(ReadOnlySpan<byte> source, int at) =>
        at < source.Length ? source[at] : throw new InvalidDataException("levels or indices end too early");
}
