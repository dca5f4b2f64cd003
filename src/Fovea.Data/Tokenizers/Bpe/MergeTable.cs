using System.Numerics;

namespace Fovea.Data.Tokenizers;

/// <summary>Open-addressing table from a pair of token ids to the rank of their merge and the id it makes. Filled once, then read by any thread.</summary>
internal sealed class MergeTable
{
    private readonly ulong[] _keys;
    private readonly (int Rank, int Id)[] _values;
    private readonly int _shift;

    internal MergeTable(int capacity)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2));
        _keys = new ulong[size];
        Array.Fill(_keys, ulong.MaxValue);
        _values = new (int, int)[size];
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    /// <summary>A pair that is already there gets the newer rank, as in the reference.</summary>
    internal void Set(int left, int right, int rank, int id)
    {
        var slot = Slot(left, right);
        _keys[slot] = Key(left, right);
        _values[slot] = (rank, id);
    }

    /// <summary>Rank (lower merges first) and resulting id, or rank <see cref="int.MaxValue"/> where the pair does not merge.</summary>
    internal (int Rank, int Id) Find(int left, int right)
    {
        var slot = Slot(left, right);
        return _keys[slot] == ulong.MaxValue ? (int.MaxValue, -1) : _values[slot];
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(int left, int right)
    {
        var key = Key(left, right);
        var slot = (int)((key * 0x9E3779B97F4A7C15) >> _shift);
        while (_keys[slot] != key && _keys[slot] != ulong.MaxValue)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        return slot;
    }
}
