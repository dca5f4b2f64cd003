using System.Numerics;
using System.Runtime.Intrinsics;

namespace Fovea.Generation.Sampling;

/// <summary>Passes over the logits of a whole vocabulary.</summary>
internal static class LogitMath
{
    private const int Block = 1024;

    /// <summary>The first of the largest; a NaN wins, so that it is noticed.</summary>
    public static int Largest(ReadOnlySpan<float> logits)
    {
        var (best, top) = (0, logits[0]);
        for (var start = 0; start < logits.Length && !float.IsNaN(top); start += Block)
        {
            var part = logits[start..Math.Min(start + Block, logits.Length)];
            if (AllAtMost(part, top))
            {
                continue;
            }

            for (var i = 0; i < part.Length && !float.IsNaN(top); i++)
            {
                if (!(part[i] <= top))
                {
                    (best, top) = (start + i, part[i]);
                }
            }
        }

        return best;
    }

    /// <summary>
    /// The sum of exp((logit - max) * scale). Lanes are added in the same order on every processor: the width is fixed, whatever the processor has.
    /// </summary>
    public static double SumOfExp(ReadOnlySpan<float> logits, float max, float scale)
    {
        var (most, factor) = (Vector512.Create(max), Vector512.Create(scale));
        var (low, high) = (Vector512<double>.Zero, Vector512<double>.Zero);
        var i = 0;
        for (; i + Vector512<float>.Count <= logits.Length; i += Vector512<float>.Count)
        {
            var (lower, upper) = Vector512.Widen(Vector512.Exp((Vector512.Create(logits[i..]) - most) * factor));
            low += lower;
            high += upper;
        }

        var sum = Vector512.Sum(low + high);
        for (; i < logits.Length; i++)
        {
            sum += Math.Exp((logits[i] - max) * scale);
        }

        return sum;
    }

    /// <summary>Where the next value of at least the limit is, from a place on; the length where there is none.</summary>
    public static int NextAtLeast(ReadOnlySpan<float> values, int from, float limit)
    {
        var limits = Vector512.Create(limit);
        for (; from + Vector512<float>.Count <= values.Length; from += Vector512<float>.Count)
        {
            var above = Vector512.GreaterThanOrEqual(Vector512.Create(values[from..]), limits).ExtractMostSignificantBits();
            if (above != 0)
            {
                return from + BitOperations.TrailingZeroCount(above);
            }
        }

        for (; from < values.Length; from++)
        {
            if (values[from] >= limit)
            {
                break;
            }
        }

        return from;
    }

    /// <summary>Takes out every logit whose bit is not set; those past the last bit too.</summary>
    public static void Keep(Span<float> logits, ReadOnlySpan<ulong> allowed)
    {
        const int word = 64;
        for (var start = 0; start < logits.Length; start += word)
        {
            var part = logits[start..Math.Min(start + word, logits.Length)];
            var bits = start / word < allowed.Length ? allowed[start / word] : 0;
            if (bits == 0)
            {
                part.Fill(float.NegativeInfinity);
                continue;
            }

            for (var gone = ~bits; gone != 0; gone &= gone - 1)
            {
                var place = BitOperations.TrailingZeroCount(gone);
                if (place < part.Length)
                {
                    part[place] = float.NegativeInfinity;
                }
            }
        }
    }

    /// <summary>Whether nothing is above the limit or NaN.</summary>
    private static bool AllAtMost(ReadOnlySpan<float> values, float limit)
    {
        var limits = new Vector<float>(limit);
        var i = 0;
        for (; i + Vector<float>.Count <= values.Length; i += Vector<float>.Count)
        {
            if (!Vector.LessThanOrEqualAll(new Vector<float>(values[i..]), limits))
            {
                return false;
            }
        }

        for (; i < values.Length; i++)
        {
            if (!(values[i] <= limit))
            {
                return false;
            }
        }

        return true;
    }
}
