using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>
/// Tensors of every layer whose first dimension is slots: a slot has one number in all of them. The pool grows to what is asked of it, up to its bound, and
/// frees its tensors itself.
/// </summary>
/// <param name="layers">Of the model; a layer that asks for nothing has nothing.</param>
/// <param name="first">Slots that are made at first.</param>
internal abstract class SlotPool(int layers, int first) : IDisposable
{
    private readonly (Tensor? A, Tensor? B)[] parts = new (Tensor?, Tensor?)[layers];
    private readonly Stack<int> free = new();
    private int slots;

    /// <summary>Bytes of a slot in all layers.</summary>
    public abstract long SlotBytes { get; }

    /// <summary>Slots that there may be.</summary>
    public abstract int MostSlots { get; }

    /// <summary>Slots that may still be taken.</summary>
    public int Free => free.Count + MostSlots - slots;

    /// <summary>Slots that somebody holds.</summary>
    public int Used => slots - free.Count;

    /// <summary>The number of a slot that nobody else holds. What is in it is anything finite.</summary>
    public int Take()
    {
        if (free.Count == 0)
        {
            Grow();
        }

        return free.Pop();
    }

    public void Give(int slot) => free.Push(slot);

    /// <summary>Copies a slot in all layers.</summary>
    public void Copy(int from, int to)
    {
        using var scope = TensorScope.Open("token");
        foreach (var part in Made)
        {
            part.Slice(0, to, to + 1L).Copy_(part.Slice(0, from, from + 1L));
        }
    }

    /// <summary>Sets a slot to zero in all layers.</summary>
    public void Clear(int slot)
    {
        using var scope = TensorScope.Open("token");
        foreach (var part in Made)
        {
            part.Slice(0, slot, slot + 1L).Zero_();
        }
    }

    public void Dispose()
    {
        foreach (var part in Made)
        {
            part.Dispose();
        }

        Array.Clear(parts);
        free.Clear();
        slots = 0;
        GC.SuppressFinalize(this);
    }

    /// <summary>A layer's two tensors; made on the first use.</summary>
    /// <param name="a">Makes the one, of so many slots, all zero.</param>
    /// <param name="b">Makes the other.</param>
    protected (Tensor A, Tensor B) Layer(int layer, Func<int, Tensor> a, Func<int, Tensor> b)
    {
        var (oldA, oldB) = parts[layer];
        var made = (A: oldA ?? a(slots).Keep(), B: oldB ?? b(slots).Keep());
        parts[layer] = made;
        return made;
    }

    private IEnumerable<Tensor> Made => parts.SelectMany(part => new[] { part.A, part.B }).OfType<Tensor>();

    private void Grow()
    {
        var more = Math.Min(Math.Max(first, 2 * slots), MostSlots);
        if (more == slots)
        {
            throw new InvalidOperationException($"all {slots} places of the cache are taken");
        }

        using var scope = TensorScope.Open("token");
        for (var layer = 0; layer < parts.Length; layer++)
        {
            parts[layer] = (Larger(parts[layer].A), Larger(parts[layer].B));
        }

        for (var slot = more - 1; slot >= slots; slot--)
        {
            free.Push(slot);
        }

        slots = more;

        Tensor? Larger(Tensor? old)
        {
            if (old is null)
            {
                return null;
            }

            var shape = old.Shape.ToArray();
            shape[0] = more;
            var larger = CreateOps.Zeros(shape, old.DType, old.Device).Keep();
            larger.Slice(0, 0, slots).Copy_(old);
            old.Dispose();
            return larger;
        }
    }
}
