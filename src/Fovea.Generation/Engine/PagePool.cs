using Fovea.Models;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>
/// The key/value cache of an engine in pages of <see cref="EngineOptions.PageTokens"/> tokens, all layers alike: a page has one number everywhere. The
/// pool grows to what is asked of it, up to its bound, and frees its tensors itself.
/// </summary>
internal sealed class PagePool : IDisposable
{
    private const int FirstPages = 16;
    private readonly Tensor?[] keys;
    private readonly Tensor?[] values;
    private readonly Stack<int> free = new();
    private int pages;

    /// <param name="model">Says how many layers there are, and how large a token's keys and values.</param>
    /// <param name="bytes">Most bytes of all layers together; at least one page is given in any case.</param>
    public PagePool(VisionLanguageModel model, long bytes)
    {
        var shape = model.KeyValueShape;
        (keys, values) = (new Tensor?[model.Layers], new Tensor?[model.Layers]);
        PageBytes = 2L * model.Layers * BytesOf(model.Ledger.Options.Compute, shape.Heads, shape.Size, model.Device);
        MostPages = (int)Math.Clamp(bytes / PageBytes, 1, int.MaxValue / 2);
    }

    /// <summary>Bytes of a page: keys and values of all layers.</summary>
    public long PageBytes { get; }

    /// <summary>Pages that there may be.</summary>
    public int MostPages { get; }

    /// <summary>Pages that may still be taken.</summary>
    public int Free => free.Count + MostPages - pages;

    /// <summary>Pages that somebody holds.</summary>
    public int Used => pages - free.Count;

    /// <summary>Bytes that the tensors take now.</summary>
    public long Bytes => pages * PageBytes;

    /// <summary>The number of a page that nobody else holds. What is in it is anything finite.</summary>
    public int Take()
    {
        if (free.Count == 0)
        {
            Grow();
        }

        return free.Pop();
    }

    public void Give(int page) => free.Push(page);

    /// <summary>Copies a page in all layers.</summary>
    public void Copy(int from, int to)
    {
        using var scope = TensorScope.Open("token");
        foreach (var pool in keys.Concat(values).OfType<Tensor>())
        {
            pool.Slice(0, to, to + 1L).Copy_(pool.Slice(0, from, from + 1L));
        }
    }

    /// <summary>A layer's keys and values; made on the first use.</summary>
    public (Tensor Keys, Tensor Values) Layer(int layer, Tensor k_TGD) =>
        (keys[layer] ??= New(k_TGD, pages), values[layer] ??= New(k_TGD, pages));

    public void Dispose()
    {
        for (var layer = 0; layer < keys.Length; layer++)
        {
            keys[layer]?.Dispose();
            values[layer]?.Dispose();
            keys[layer] = values[layer] = null;
        }

        free.Clear();
        pages = 0;
    }

    private static Tensor New(Tensor k_TGD, int pages) => NetOps.NewPages(k_TGD.DType, k_TGD.Device, (int)k_TGD.Size(1), (int)k_TGD.Size(2), pages).Keep();

    // The kernel that attends to pages lays them out, so a page is asked how large it is.
    private static long BytesOf(DType dtype, int groups, int size, Device device)
    {
        using var scope = TensorScope.Open("page");
        var page = NetOps.NewPages(dtype, device, groups, size, 1);
        return page.Count * page.DType.Size();
    }

    private void Grow()
    {
        var more = Math.Min(Math.Max(FirstPages, 2 * pages), MostPages);
        if (more == pages)
        {
            throw new InvalidOperationException($"all {pages} pages of the key/value cache are taken");
        }

        using var scope = TensorScope.Open("token");
        foreach (var all in (Tensor?[][])[keys, values])
        {
            for (var layer = 0; layer < all.Length; layer++)
            {
                if (all[layer] is { } old)
                {
                    var shape = old.Shape.ToArray();
                    shape[0] = more;
                    var larger = CreateOps.Zeros(shape, old.DType, old.Device).Keep();
                    larger.Slice(0, 0, pages).Copy_(old);
                    old.Dispose();
                    all[layer] = larger;
                }
            }
        }

        for (var page = more - 1; page >= pages; page--)
        {
            free.Push(page);
        }

        pages = more;
    }
}
