namespace Fovea.Data.Tokenizers;

/// <summary>Binary min-heap of (rank, position): lowest rank first, then leftmost.</summary>
internal sealed class PairHeap(int capacity)
{
    private ulong[] items = new ulong[Math.Max(16, capacity)];
    private int count;

    /// <summary>A rank of <see cref="int.MaxValue"/> means no merge and is not kept.</summary>
    internal void Push(int rank, int position)
    {
        if (rank == int.MaxValue)
        {
            return;
        }

        if (count == items.Length)
        {
            Array.Resize(ref items, count * 2);
        }

        var item = ((ulong)(uint)rank << 32) | (uint)position;
        var at = count++;
        while (at > 0 && items[(at - 1) / 2] > item)
        {
            items[at] = items[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        items[at] = item;
    }

    internal bool TryPop(out int rank, out int position)
    {
        if (count == 0)
        {
            (rank, position) = (0, 0);
            return false;
        }

        rank = (int)(items[0] >> 32);
        position = (int)(uint)items[0];
        var item = items[--count];
        var at = 0;
        while (true)
        {
            var child = (at * 2) + 1;
            if (child >= count)
            {
                break;
            }

            if (child + 1 < count && items[child + 1] < items[child])
            {
                child++;
            }

            if (items[child] >= item)
            {
                break;
            }

            items[at] = items[child];
            at = child;
        }

        items[at] = item;
        return true;
    }
}
