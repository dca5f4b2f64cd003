using Fovea.Tensors;

namespace Fovea.Generation;

/// <summary>
/// Keys and values of the tokens that a decoder has seen: two growing buffers a layer. They belong to the cache alone, never to a scope; it frees them.
/// </summary>
/// <remarks>Suffixes: C capacity, T tokens of one pass, L tokens so far and of this pass, G key/value heads, D head size.</remarks>
internal sealed class KeyValueCache(int layers) : IDisposable
{
    private const int SmallestCapacity = 64;
    private readonly Tensor?[] keys_CGD = new Tensor?[layers];
    private readonly Tensor?[] values_CGD = new Tensor?[layers];
    private int reserve = SmallestCapacity;

    /// <summary>Tokens that every layer holds.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens that the buffers of the first layer have room for; 0 before the first pass.</summary>
    public int Capacity => (int)(keys_CGD[0]?.Size(0) ?? 0);

    /// <summary>Makes the next buffers at least this long, so that they need not grow soon.</summary>
    public void Reserve(int tokens) => reserve = Math.Max(SmallestCapacity, tokens);

    /// <summary>Forgets all tokens from <paramref name="length"/> on; keeps the memory.</summary>
    public void Truncate(int length) => Length = length >= 0 && length <= Length
        ? length
        : throw new ArgumentOutOfRangeException(nameof(length), length, $"the cache holds {Length} tokens");

    public void Dispose()
    {
        for (var layer = 0; layer < layers; layer++)
        {
            keys_CGD[layer]?.Dispose();
            values_CGD[layer]?.Dispose();
            keys_CGD[layer] = values_CGD[layer] = null;
        }

        Length = 0;
    }

    /// <summary>Writes one layer's part of a pass behind the tokens so far. The pass counts only after <see cref="Advance"/>.</summary>
    /// <returns>Views of everything that the layer holds now, [L, G, D].</returns>
    internal (Tensor Keys_LGD, Tensor Values_LGD) Store(int layer, Tensor k_TGD, Tensor v_TGD) =>
        (Append(ref keys_CGD[layer], k_TGD), Append(ref values_CGD[layer], v_TGD));

    /// <summary>One layer's buffers [C, G, D], with room for one more token like these behind the tokens so far.</summary>
    internal (Tensor Keys_CGD, Tensor Values_CGD) RoomForNext(int layer, Tensor k_1GD, Tensor v_1GD) =>
        (Room(ref keys_CGD[layer], k_1GD), Room(ref values_CGD[layer], v_1GD));

    /// <summary>The last pass went through all layers.</summary>
    internal void Advance(int tokens) => Length += tokens;

    private Tensor Append(ref Tensor? buffer_CGD, Tensor x_TGD)
    {
        var end = Length + x_TGD.Size(0);
        var room_CGD = Room(ref buffer_CGD, x_TGD);
        room_CGD.Slice(0, Length, end).Copy_(x_TGD);
        return room_CGD.Slice(0, 0, end);
    }

    private Tensor Room(ref Tensor? buffer_CGD, Tensor x_TGD)
    {
        var end = Length + x_TGD.Size(0);
        return buffer_CGD is { } held && held.Size(0) >= end ? held : buffer_CGD = Grown(buffer_CGD, end, x_TGD);
    }

    private Tensor Grown(Tensor? old_CGD, long needed, Tensor like_TGD)
    {
        var capacity = Math.Max(Math.Max(needed, reserve), 2 * (old_CGD?.Size(0) ?? 0));
        var larger = CreateOps.Empty([capacity, like_TGD.Size(1), like_TGD.Size(2)], like_TGD.DType, like_TGD.Device).Keep();
        if (old_CGD is not null)
        {
            larger.Slice(0, 0, Length).Copy_(old_CGD.Slice(0, 0, Length));
            old_CGD.Dispose();
        }

        return larger;
    }
}
