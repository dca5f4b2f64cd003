using System.Numerics;

namespace Fovea.Generation;

/// <summary>
/// Chooses the next token from logits, in Transformers' order: repetition penalty, temperature, top k, top p, draw.
/// Its random numbers are its own, so a seed gives the same tokens whatever else draws.
/// </summary>
internal sealed class Sampler(GenerationOptions options)
{
#pragma warning disable RS0030 // Nobody asked for the same answer again.
    private readonly ulong seed = options.Seed ?? (ulong)Random.Shared.NextInt64();
#pragma warning restore RS0030
    private ulong drawn;

    /// <param name="logits">[V]; overwritten.</param>
    /// <param name="seen">Ids that occurred already, each once; used by the repetition penalty.</param>
    public int Next(Span<float> logits, IReadOnlyCollection<int> seen)
    {
        if (options.RepetitionPenalty != 1)
        {
            Penalise(logits, seen, (float)options.RepetitionPenalty);
        }

        var best = Largest(logits);
        if (!float.IsFinite(logits[best]))
        {
            throw new TorchException("the model's logits are not finite: its weights are broken, or float16 overflowed (then bfloat16 or float32 helps)");
        }

        return options.DoSample ? Draw(logits) : best;
    }

    private static void Penalise(Span<float> logits, IReadOnlyCollection<int> seen, float penalty)
    {
        foreach (var id in seen)
        {
            if (id < logits.Length)
            {
                logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
            }
        }
    }

    /// <summary>The first of the largest; a NaN wins, so that it is noticed.</summary>
    private static int Largest(ReadOnlySpan<float> logits)
    {
        const int block = 1024;
        var (best, top) = (0, logits[0]);
        for (var start = 0; start < logits.Length && !float.IsNaN(top); start += block)
        {
            var part = logits[start..Math.Min(start + block, logits.Length)];
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

    private int Draw(ReadOnlySpan<float> logits)
    {
        var (ids, scores) = Candidates(logits);
        var weights = new double[ids.Length];
        var total = 0.0;
        for (var i = 0; i < ids.Length; i++)
        {
            total += weights[i] = Math.Exp(((double)scores[i] - scores[0]) / options.Temperature);
        }

        var (kept, mass) = (0, 0.0);
        while (kept < ids.Length && (kept == 0 || mass < options.TopP * total))
        {
            mass += weights[kept++];
        }

        var left = Uniform() * mass;
        for (var i = 0; i < kept; i++)
        {
            left -= weights[i];
            if (left < 0)
            {
                return ids[i];
            }
        }

        return ids[0];
    }

    /// <summary>The top k tokens, or all, most likely first; equal ones in the order of their ids.</summary>
    private (int[] Ids, float[] Scores) Candidates(ReadOnlySpan<float> logits)
    {
        var count = options.TopK == 0 ? logits.Length : Math.Min(options.TopK, logits.Length);
        var heap = new PriorityQueue<int, (float Score, int Reverse)>(count + 1);
        for (var id = 0; id < logits.Length; id++)
        {
            if (heap.Count < count)
            {
                heap.Enqueue(id, (logits[id], -id));
            }
            else if (heap.TryPeek(out _, out var worst) && logits[id] > worst.Score)
            {
                heap.EnqueueDequeue(id, (logits[id], -id));
            }
        }

        var ids = new int[count];
        var scores = new float[count];
        for (var i = count - 1; i >= 0; i--)
        {
            ids[i] = heap.Dequeue();
            scores[i] = logits[ids[i]];
        }

        return (ids, scores);
    }

    /// <summary>Uniform in [0, 1) from 53 bits of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).</summary>
    private double Uniform() => (SplitMix.Mix(seed, drawn++) >> 11) * (1.0 / (1UL << 53));
}
