namespace Fovea.Data.Tokenizers;

/// <summary>Binary min-heap of (rank, position): lowest rank first, then leftmost.</summary>
internal sealed class PairHeap(int capacity)
{
    private ulong[] _items = new ulong[Math.Max(16, capacity)];
    private int _count;

    /// <summary>A rank of <see cref="int.MaxValue"/> means no merge and is not kept.</summary>
    internal void Push(int rank, int position)
    {
        if (rank == int.MaxValue)
        {
            return;
        }

        if (_count == _items.Length)
        {
            Array.Resize(ref _items, _count * 2);
        }

        var item = ((ulong)(uint)rank << 32) | (uint)position;
        var at = _count++;
        while (at > 0 && _items[(at - 1) / 2] > item)
        {
            _items[at] = _items[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        _items[at] = item;
    }

    internal bool TryPop(out int rank, out int position)
    {
        if (_count == 0)
        {
            (rank, position) = (0, 0);
            return false;
        }

        rank = (int)(_items[0] >> 32);
        position = (int)(uint)_items[0];
        var item = _items[--_count];
        var at = 0;
        while (true)
        {
            var child = (at * 2) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && _items[child + 1] < _items[child])
            {
                child++;
            }

            if (_items[child] >= item)
            {
                break;
            }

            _items[at] = _items[child];
            at = child;
        }

        _items[at] = item;
        return true;
    }
}
