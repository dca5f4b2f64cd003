using Fovea.Tensors;

namespace Fovea.Nn.FourBit;

/// <summary>A matrix in 4 bits as files have it; the tensors belong to the open scope and may be mapped memory.</summary>
/// <param name="Bytes">U8, two codes each.</param>
/// <param name="Scales">fp32, or U8 with <paramref name="Nested"/>.</param>
/// <param name="Nested">The scales' own, fp32; null where scales are fp32.</param>
/// <param name="Mean">What was taken off the scales first.</param>
/// <param name="Code">16 numbers.</param>
/// <param name="Map">256 numbers; null without <paramref name="Nested"/>.</param>
/// <param name="Block">Numbers that share a scale.</param>
internal sealed record StoredFourBit(
    Tensor Bytes, Tensor Scales, Tensor? Nested, double Mean, float[] Code, float[]? Map, int Block, long Outputs, long Inputs)
{
    /// <summary>[outputs, inputs] in fp32 on the CPU, in the open scope.</summary>
    public Tensor Unpack() => Bytes.FourBitUnpack(
        Scales, Nested, Map is null ? null : CreateOps.From(Map, Map.Length), Mean, CreateOps.From(Code, Code.Length), Outputs, Inputs, Block, DType.F32);
}
