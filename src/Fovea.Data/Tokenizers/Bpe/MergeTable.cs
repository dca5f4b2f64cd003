using System.Numerics;

namespace Fovea.Data.Tokenizers;

/// <summary>Open-addressing table from a pair of token ids to the rank of their merge and the id it makes. Filled once, then read by any thread.</summary>
internal sealed class MergeTable
{
    private const ulong Free = ulong.MaxValue;

    private ulong[] _keys;
    private (int Rank, int Id)[] _values;
    private int _shift;
    private int _count;

    internal MergeTable(int capacity) => (_keys, _values, _shift) = Empty(Math.Max(16, capacity * 2));

    /// <summary>A pair that is already there gets the newer rank, as in the reference.</summary>
    internal void Set(int left, int right, int rank, int id)
    {
        if (_count * 2 >= _keys.Length)
        {
            Grow();
        }

        var slot = Slot(Key(left, right));
        _count += _keys[slot] == Free ? 1 : 0;
        _keys[slot] = Key(left, right);
        _values[slot] = (rank, id);
    }

    /// <summary>Rank (lower merges first) and resulting id, or rank <see cref="int.MaxValue"/> where the pair does not merge.</summary>
    internal (int Rank, int Id) Find(int left, int right)
    {
        var slot = Slot(Key(left, right));
        return _keys[slot] == Free ? (int.MaxValue, -1) : _values[slot];
    }

    private static (ulong[] Keys, (int Rank, int Id)[] Values, int Shift) Empty(int atLeast)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)atLeast);
        var keys = new ulong[size];
        Array.Fill(keys, Free);
        return (keys, new (int, int)[size], 64 - BitOperations.Log2((uint)size));
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private void Grow()
    {
        var (keys, values) = (_keys, _values);
        (_keys, _values, _shift) = Empty(keys.Length * 2);
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] != Free)
            {
                var slot = Slot(keys[i]);
                (_keys[slot], _values[slot]) = (keys[i], values[i]);
            }
        }
    }

    private int Slot(ulong key)
    {
        var slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        while (_keys[slot] != key && _keys[slot] != Free)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        return slot;
    }
}
