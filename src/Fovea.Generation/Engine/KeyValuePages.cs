using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>Pages of keys and values, as the kernel that attends to them lays them out.</summary>
internal static class KeyValuePages
{
    /// <summary>Bytes of a layer's keys of one page; values have as many.</summary>
    public static long Bytes(DType dtype, int groups, int size, Device device)
    {
        using var scope = TensorScope.Open("page");
        var page = NetOps.NewPages(dtype, device, groups, size, 1);
        return page.Count * page.DType.Size();
    }
}
