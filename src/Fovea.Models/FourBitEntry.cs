using System.Runtime.InteropServices;
using Fovea.Files.Safetensors;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>A matrix in bitsandbytes' 4 bits, in the tensors of a checkpoint that it consists of; all of them fit.</summary>
/// <param name="Bytes">Of any element type: what counts are its bytes.</param>
internal sealed record FourBitEntry(TensorEntry Bytes, TensorEntry Scales, TensorEntry? Nested, TensorEntry Code, TensorEntry? Map, FourBitState State)
{
    public long[] Shape => State.Shape;

    /// <summary>In the open scope; bytes stay mapped.</summary>
    public StoredFourBit Read() => new(
        Mapped(Bytes, DType.U8, Bytes.Bytes), Mapped(Scales, Scales.DType, Scales.Shape[0]), Nested is null ? null : Mapped(Nested, DType.F32, Nested.Shape[0]),
        State.Mean, Floats(Code), Map is null ? null : Floats(Map), State.Block, Shape[0], Shape[1]);

    internal static float[] Floats(TensorEntry entry) => MemoryMarshal.Cast<byte, float>(entry.Span.ToArray()).ToArray();

    private static Tensor Mapped(TensorEntry entry, DType type, long count)
    {
        entry.Memory.AddRef();
        return CreateOps.FromMemory(entry.Address, [count], type, entry.Memory.Release);
    }
}
