namespace Fovea.Generation.Sampling;

/// <summary>
/// Draws a token from logits: temperature, top k, top p, min p, and a number between 0 and 1 that picks from what is left, most likely first. The most likely
/// tokens nearly always decide; where they do not, the rest is parted again and again, but never sorted.
/// </summary>
internal static class TokenDraw
{
    /// <summary>So many of the most likely tokens are looked at first where there is no top k.</summary>
    private const int Head = 256;

    /// <summary>More are not put in order.</summary>
    private const int MostSorted = 2048;

    /// <summary>A larger factor would make infinity times 0 of the largest logit, and tells nothing apart that this does not.</summary>
    private const double LargestScale = 1e30;

    [ThreadStatic]
    private static ulong[]? keyRoom;

    [ThreadStatic]
    private static float[]? weightRoom;

    /// <param name="logits">[V]; minus infinity is never drawn.</param>
    /// <param name="max">The largest of them, finite.</param>
    /// <param name="options">Temperature, top k, top p and min p.</param>
    /// <param name="uniform">At least 0 and below 1.</param>
    public static int Draw(ReadOnlySpan<float> logits, float max, GenerationOptions options, double uniform)
    {
        ref var room = ref keyRoom;
        var keys = room ?? [];
        var limited = options.TopK > 0 && options.TopK < logits.Length;
        var count = limited ? options.TopK : Head;
        var found = RankedLogits.SelectTop(logits, count, ref keys);
        room = keys;
        var complete = limited || found < count;
        if (found <= MostSorted && FromFew(logits, max, options, uniform, keys.AsSpan(0, found), complete) is { } id)
        {
            return id;
        }

        if (!complete)
        {
            found = RankedLogits.All(logits, ref keys);
            room = keys;
        }

        return FromMany(logits, max, options, uniform, keys.AsSpan(0, found));
    }

    /// <summary>The token, when the given ones are all that count or decide alone; otherwise null.</summary>
    private static int? FromFew(ReadOnlySpan<float> logits, float max, GenerationOptions options, double uniform, Span<ulong> keys, bool complete)
    {
        keys.Sort();
        Span<double> weights = stackalloc double[keys.Length];
        var sum = 0.0;
        for (var i = 0; i < keys.Length; i++)
        {
            sum += weights[i] = Math.Exp(((double)logits[RankedLogits.IdOf(keys[i])] - max) / options.Temperature);
        }

        var total = complete ? sum : Math.Max(sum, LogitMath.SumOfExp(logits, max, (float)Math.Min(1 / options.Temperature, LargestScale)));
        var (kept, mass, decided) = (keys.Length, total, complete);
        if (options.TopP < 1)
        {
            (kept, mass) = (0, 0.0);
            while (kept < keys.Length && (kept == 0 || mass < options.TopP * total))
            {
                mass += weights[kept++];
            }

            decided |= mass >= options.TopP * total;
        }

        if (weights[kept - 1] < options.MinP)
        {
            while (kept > 1 && weights[kept - 1] < options.MinP)
            {
                kept--;
            }

            (mass, decided) = (0, true);
            foreach (var weight in weights[..kept])
            {
                mass += weight;
            }
        }

        if (!decided && (options.TopP < 1 || options.MinP > 0))
        {
            return null;
        }

        var left = uniform * mass;
        for (var i = 0; i < kept; i++)
        {
            left -= weights[i];
            if (left < 0)
            {
                return RankedLogits.IdOf(keys[i]);
            }
        }

        return decided ? RankedLogits.IdOf(keys[kept - 1]) : null;
    }

    private static int FromMany(ReadOnlySpan<float> logits, float max, GenerationOptions options, double uniform, Span<ulong> keys)
    {
        var room = weightRoom ?? [];
        RankedLogits.Grow(ref room, keys.Length, 0);
        weightRoom = room;
        var weights = room.AsSpan(0, keys.Length);
        var total = 0.0;
        for (var i = 0; i < keys.Length; i++)
        {
            total += weights[i] = (float)Math.Exp(((double)logits[RankedLogits.IdOf(keys[i])] - max) / options.Temperature);
        }

        if (options.TopP < 1)
        {
            var kept = RankedLogits.Cut(keys, weights, options.TopP * total, reach: true) + 1;
            keys = keys[..kept];
            weights = weights[..kept];
        }

        var likely = 0;
        var mass = 0.0;
        for (var i = 0; i < keys.Length; i++)
        {
            if (weights[i] >= options.MinP)
            {
                (keys[likely], keys[i]) = (keys[i], keys[likely]);
                (weights[likely], weights[i]) = (weights[i], weights[likely]);
                mass += weights[likely++];
            }
        }

        return RankedLogits.IdOf(keys[RankedLogits.Cut(keys[..likely], weights[..likely], uniform * mass, reach: false)]);
    }
}
