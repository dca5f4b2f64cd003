using System.Buffers;

namespace Fovea.Data.Tokenizers;

/// <summary>Byte-pair merging: always the pair of lowest rank, the leftmost of equals.</summary>
internal static class BpeMerger
{
    private const int ScanLimit = 48;

    /// <summary>Merges in place; returns how many ids remain at the front. Above a few dozen symbols a heap keeps it at n log n.</summary>
    internal static int Merge(Span<int> ids, MergeTable merges) => ids.Length <= ScanLimit ? MergeByScan(ids, merges) : MergeByHeap(ids, merges);

    private static int MergeByScan(Span<int> ids, MergeTable merges)
    {
        Span<int> ranks = stackalloc int[ScanLimit];
        var count = ids.Length;
        for (var i = 0; i + 1 < count; i++)
        {
            ranks[i] = merges.Find(ids[i], ids[i + 1]).Rank;
        }

        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[best])
                {
                    best = i;
                }
            }

            if (ranks[best] == int.MaxValue)
            {
                break;
            }

            ids[best] = merges.Find(ids[best], ids[best + 1]).Id;
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            count--;
            if (best > 0)
            {
                ranks[best - 1] = merges.Find(ids[best - 1], ids[best]).Rank;
            }

            if (best + 1 < count)
            {
                ranks[best] = merges.Find(ids[best], ids[best + 1]).Rank;
            }
        }

        return count;
    }

    private static int MergeByHeap(Span<int> ids, MergeTable merges)
    {
        var count = ids.Length;
        var previous = ArrayPool<int>.Shared.Rent(count);
        var next = ArrayPool<int>.Shared.Rent(count);
        var heap = new PairHeap(count);
        for (var i = 0; i < count; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < count ? i + 1 : -1;
            if (i + 1 < count)
            {
                heap.Push(merges.Find(ids[i], ids[i + 1]).Rank, i);
            }
        }

        while (heap.TryPop(out var rank, out var left))
        {
            // An entry is stale when its left symbol is gone or its pair is another one by now.
            var right = ids[left] < 0 ? -1 : next[left];
            if (right < 0)
            {
                continue;
            }

            var merge = merges.Find(ids[left], ids[right]);
            if (merge.Rank != rank)
            {
                continue;
            }

            ids[left] = merge.Id;
            ids[right] = -1;
            var after = next[right];
            next[left] = after;
            if (after >= 0)
            {
                previous[after] = left;
                heap.Push(merges.Find(merge.Id, ids[after]).Rank, left);
            }

            if (previous[left] >= 0)
            {
                heap.Push(merges.Find(ids[previous[left]], merge.Id).Rank, previous[left]);
            }
        }

        var kept = 0;
        for (var i = 0; i >= 0; i = next[i])
        {
            ids[kept++] = ids[i];
        }

        ArrayPool<int>.Shared.Return(previous);
        ArrayPool<int>.Shared.Return(next);
        return kept;
    }
}
