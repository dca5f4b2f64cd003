using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Fovea.Generation.Sampling;

/// <summary>Passes over the logits of a whole vocabulary.</summary>
internal static class LogitMath
{
    private const int Lanes = 16;

    /// <summary>The first of the largest; a NaN wins, so that it is noticed.</summary>
    public static int Largest(ReadOnlySpan<float> logits)
    {
        var a = Vector512.Create(float.NegativeInfinity);
        var (b, numbers) = (a, Vector512<float>.AllBitsSet);
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(logits);
        for (var i = 0; i + 1 < vectors.Length; i += 2)
        {
            var p = vectors[i];
            var q = vectors[i + 1];
            a = Vector512.MaxNative(a, p);
            b = Vector512.MaxNative(b, q);

            // A sum with a NaN is one, and so is that of both infinities, which is looked at more closely.
            var sum = p + q;
            numbers &= Vector512.Equals(sum, sum);
        }

        if (!Vector512.EqualsAll(numbers.AsInt32(), Vector512<int>.AllBitsSet) && logits.IndexOf(float.NaN) is var nan and >= 0)
        {
            return nan;
        }

        a = Vector512.MaxNative(a, b);
        var most = float.NegativeInfinity;
        for (var lane = 0; lane < Lanes; lane++)
        {
            most = Math.Max(most, a[lane]);
        }

        for (var i = vectors.Length / 2 * 2 * Lanes; i < logits.Length; i++)
        {
            if (float.IsNaN(logits[i]))
            {
                return i;
            }

            most = Math.Max(most, logits[i]);
        }

        return Math.Min(NextAtLeast(logits, 0, most), logits.Length - 1);
    }

    /// <summary>
    /// The sum of exp((logit - max) * scale). Lanes are added in the same order on every processor: the width is fixed, whatever the processor has.
    /// </summary>
    public static double SumOfExp(ReadOnlySpan<float> logits, float max, float scale)
    {
        var (most, factor) = (Vector512.Create(max), Vector512.Create(scale));
        var (low, high) = (Vector512<double>.Zero, Vector512<double>.Zero);
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(logits);
        var i = 0;
        for (; i + 3 < vectors.Length; i += 4)
        {
            // Four at once: none waits for another, and their sum is widened once.
            var left = Exp((vectors[i] - most) * factor) + Exp((vectors[i + 1] - most) * factor);
            var right = Exp((vectors[i + 2] - most) * factor) + Exp((vectors[i + 3] - most) * factor);
            low += Vector512.WidenLower(left + right);
            high += Vector512.WidenUpper(left + right);
        }

        var sum = Vector512.Sum(low + high);
        for (i *= Lanes; i < logits.Length; i++)
        {
            sum += Math.Exp((logits[i] - max) * scale);
        }

        return sum;
    }

    /// <summary>
    /// exp of numbers of at most 0, to 2 units in the last place; below the smallest normal number it is 0. Halves, quarters and so on by the exponent's bits,
    /// the rest by its series.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x)
    {
        const float least = -87.3f;
        var bounded = Vector512.MaxNative(x, Vector512.Create(least));
        var halvings = Vector512.Round(bounded * Vector512.Create(1.44269504f));
        var rest = Vector512.FusedMultiplyAdd(halvings, Vector512.Create(-0.693359375f), bounded);
        rest = Vector512.FusedMultiplyAdd(halvings, Vector512.Create(2.12194440e-4f), rest);
        var series = Vector512.Create(1f / 5040);
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512.Create(1f / 720));
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512.Create(1f / 120));
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512.Create(1f / 24));
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512.Create(1f / 6));
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512.Create(0.5f));
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512<float>.One);
        series = Vector512.FusedMultiplyAdd(series, rest, Vector512<float>.One);
        var power = ((Vector512.ConvertToInt32Native(halvings) + Vector512.Create(127)) << 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(least)), Vector512<float>.Zero, series * power);
    }

    /// <summary>Where the next value of at least the limit is, from a place on; the length where there is none.</summary>
    public static int NextAtLeast(ReadOnlySpan<float> values, int from, float limit)
    {
        var limits = Vector512.Create(limit);
        var vectors = MemoryMarshal.Cast<float, Vector512<float>>(values[from..]);
        for (var i = 0; i < vectors.Length; i++)
        {
            var above = Vector512.GreaterThanOrEqual(vectors[i], limits);
            if (!Vector512.EqualsAll(above.AsInt32(), Vector512<int>.Zero))
            {
                return from + (i * Lanes) + BitOperations.TrailingZeroCount(above.ExtractMostSignificantBits());
            }
        }

        from += vectors.Length * Lanes;
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
}
