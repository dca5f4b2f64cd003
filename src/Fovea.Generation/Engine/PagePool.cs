using Fovea.Models;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>The key/value cache of an engine in pages of <see cref="EngineOptions.PageTokens"/> tokens, all layers alike.</summary>
internal sealed class PagePool : SlotPool
{
    private const int FirstPages = 16;

    /// <param name="model">Says how many layers there are, and how large a token's keys and values.</param>
    /// <param name="bytes">Most bytes of all layers together; at least one page is given in any case.</param>
    public PagePool(VisionLanguageModel model, long bytes)
        : base(model.Layers, FirstPages)
    {
        var shape = model.KeyValueShape;
        var layers = model.Layers - (model.States?.Layers ?? 0);
        SlotBytes = 2L * layers * BytesOf(model.Ledger.Options.Compute, shape.Heads, shape.Size, model.Device);
        MostSlots = SlotBytes == 0 ? int.MaxValue / 2 : (int)Math.Clamp(bytes / SlotBytes, 1, int.MaxValue / 2);
    }

    /// <summary>Bytes of a page: keys and values of all layers.</summary>
    public override long SlotBytes { get; }

    /// <summary>Pages that there may be.</summary>
    public override int MostSlots { get; }

    /// <summary>A layer's keys and values.</summary>
    public (Tensor Keys, Tensor Values) Layer(int layer, Tensor k_TGD)
    {
        return Layer(layer, New, New);

        Tensor New(int pages) => NetOps.NewPages(k_TGD.DType, k_TGD.Device, (int)k_TGD.Size(1), (int)k_TGD.Size(2), pages);
    }

    // The kernel that attends to pages lays them out, so a page is asked how large it is.
    private static long BytesOf(DType dtype, int groups, int size, Device device)
    {
        using var scope = TensorScope.Open("page");
        var page = NetOps.NewPages(dtype, device, groups, size, 1);
        return page.Count * page.DType.Size();
    }
}
