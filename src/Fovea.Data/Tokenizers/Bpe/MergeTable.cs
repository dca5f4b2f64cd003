using System.Numerics;

namespace Fovea.Data.Tokenizers;

/// <summary>Open-addressing table from a pair of token ids to the rank of their merge and the id it makes. Filled once, then read by any thread.</summary>
internal sealed class MergeTable
{
    private const ulong Free = ulong.MaxValue;

    private ulong[] keys;
    private (int Rank, int Id)[] values;
    private int shift;
    private int count;

    internal MergeTable(int capacity) => (keys, values, shift) = Empty(Math.Max(16, capacity * 2));

    /// <summary>A pair that is already there gets the newer rank, as in the reference.</summary>
    internal void Set(int left, int right, int rank, int id)
    {
        if (count * 2 >= keys.Length)
        {
            Grow();
        }

        var slot = Slot(Key(left, right));
        count += keys[slot] == Free ? 1 : 0;
        keys[slot] = Key(left, right);
        values[slot] = (rank, id);
    }

    /// <summary>Rank (lower merges first) and resulting id, or rank <see cref="int.MaxValue"/> where the pair does not merge.</summary>
    internal (int Rank, int Id) Find(int left, int right)
    {
        var slot = Slot(Key(left, right));
        return keys[slot] == Free ? (int.MaxValue, -1) : values[slot];
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
        var (keys, values) = (this.keys, this.values);
        (this.keys, this.values, shift) = Empty(keys.Length * 2);
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] != Free)
            {
                var slot = Slot(keys[i]);
                (this.keys[slot], this.values[slot]) = (keys[i], values[i]);
            }
        }
    }

    private int Slot(ulong key)
    {
        var slot = (int)((key * 0x9E3779B97F4A7C15) >> shift);
        while (keys[slot] != key && keys[slot] != Free)
        {
            slot = (slot + 1) & (keys.Length - 1);
        }

        return slot;
    }
}
