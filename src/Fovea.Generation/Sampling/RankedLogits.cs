using System.Runtime.CompilerServices;

namespace Fovea.Generation.Sampling;

/// <summary>
/// Logits with their ids as numbers whose ascending order is: larger logits first, of equal ones the smaller id. What is selected by rank is selected without
/// sorting a vocabulary.
/// </summary>
internal static class RankedLogits
{
    private const int LeastRoom = 1024;

    public static ulong KeyOf(float logit, int id)
    {
        // Adding 0 makes one zero of two. Flipped like this, the bits of floats are in their order.
        var bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        bits ^= (uint)((int)bits >> 31) | 0x80000000;
        return ((ulong)~bits << 32) | (uint)id;
    }

    public static int IdOf(ulong key) => (int)(uint)key;

    /// <summary>
    /// The largest logits and those equal to the last of them, in no order. Logits of minus infinity are none.
    /// </summary>
    /// <param name="room">Receives the keys; grown when it is too small.</param>
    /// <returns>How many there are.</returns>
    public static int SelectTop(ReadOnlySpan<float> logits, int count, ref ulong[] room)
    {
        Grow(ref room, Math.Max(LeastRoom, 4 * Math.Min(count, logits.Length)), 0);
        var (filled, limit) = (0, float.MinValue);
        for (var id = LogitMath.NextAtLeast(logits, 0, limit); id < logits.Length; id = LogitMath.NextAtLeast(logits, id + 1, limit))
        {
            if (filled == room.Length)
            {
                (filled, limit) = Compact(room, filled, count);
                if (filled > room.Length / 4 * 3)
                {
                    Grow(ref room, room.Length * 2, filled);
                }

                if (logits[id] < limit)
                {
                    continue;
                }
            }

            room[filled++] = KeyOf(logits[id], id);
        }

        return filled <= count ? filled : Compact(room, filled, count).Filled;
    }

    /// <summary>The finite logits, all of them.</summary>
    /// <returns>How many there are.</returns>
    public static int All(ReadOnlySpan<float> logits, ref ulong[] room)
    {
        Grow(ref room, logits.Length, 0);
        var filled = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (logits[id] >= float.MinValue)
            {
                room[filled++] = KeyOf(logits[id], id);
            }
        }

        return filled;
    }

    public static void Grow<T>(ref T[] room, int least, int filled)
    {
        if (room.Length < least)
        {
            var larger = new T[least];
            room.AsSpan(0, filled).CopyTo(larger);
            room = larger;
        }
    }

    /// <summary>
    /// The place of the key at which the weights, added up in ascending order of keys, pass a target. Keys before that place are smaller afterwards; both spans
    /// are reordered alike. Takes time in proportion to their length.
    /// </summary>
    /// <param name="reach">Reaching the target counts as passing it.</param>
    public static int Cut(Span<ulong> keys, Span<float> weights, double target, bool reach)
    {
        var (low, high, before) = (0, keys.Length, 0.0);
        while (high - low > 1)
        {
            var middle = low + Part(keys[low..high], weights[low..high]);
            var sum = before;
            foreach (var weight in weights[low..middle])
            {
                sum += weight;
            }

            if (reach ? sum >= target : sum > target)
            {
                high = middle;
            }
            else
            {
                (low, before) = (middle, sum);
            }
        }

        return low;
    }

    /// <summary>Leaves the keys of the largest logits and of those equal to the last.</summary>
    private static (int Filled, float Limit) Compact(ulong[] room, int filled, int count)
    {
        var (low, high) = (0, filled);
        while (high - low > 1)
        {
            var middle = low + Part(room.AsSpan(low, high - low), []);
            (low, high) = count - 1 < middle ? (low, middle) : (middle, high);
        }

        // Everything before the last one is at least as large; behind it, equal ones may lie anywhere.
        var last = room[low] >> 32;
        var kept = low + 1;
        for (var i = kept; i < filled; i++)
        {
            if (room[i] >> 32 == last)
            {
                room[kept++] = room[i];
            }
        }

        var bits = ~(uint)last;
        bits ^= (uint)((int)~bits >> 31) | 0x80000000;
        return (kept, BitConverter.UInt32BitsToSingle(bits));
    }

    /// <summary>Parts two or more keys so that all before the returned place are smaller than all from it on; neither side is empty.</summary>
    private static int Part(Span<ulong> keys, Span<float> weights)
    {
        var pivot = Middle(keys[0], keys[keys.Length / 2], keys[^1]);
        var (i, j) = (-1, keys.Length);
        while (true)
        {
            do
            {
                i++;
            }
            while (keys[i] < pivot);

            do
            {
                j--;
            }
            while (keys[j] > pivot);

            if (i >= j)
            {
                return j + 1 == keys.Length ? j : j + 1;
            }

            (keys[i], keys[j]) = (keys[j], keys[i]);
            if (!weights.IsEmpty)
            {
                (weights[i], weights[j]) = (weights[j], weights[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Middle(ulong a, ulong b, ulong c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
}
