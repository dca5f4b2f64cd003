using Fovea.Tensors;

namespace Fovea.Distributed;

/// <summary>Tensors as collectives see them: numbers or bytes end to end.</summary>
internal static class FlatTensor
{
    /// <param name="x">Contiguous.</param>
    public static Tensor Bytes(Tensor x) => x.Detach().View(x.Count).Bits(DType.U8);

    /// <summary>The sum of equal parts that lie end to end, in their order.</summary>
    public static void SumParts(Tensor output, Tensor parts)
    {
        var n = output.Count;
        output.Copy_(parts.Slice(0, 0, n));
        for (var start = n; start < parts.Count; start += n)
        {
            output.Add_(parts.Slice(0, start, start + n));
        }
    }
}
