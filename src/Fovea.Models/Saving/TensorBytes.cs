using System.Runtime.InteropServices;
using Fovea.Files.Safetensors;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Saving;

/// <summary>Weights as sources for a file: converted and copied off the device one at a time, when their turn comes.</summary>
internal static class TensorBytes
{
    private const long ChunkElements = 1 << 24;

    /// <param name="name">The name in the file.</param>
    /// <param name="value">Must live until it is written.</param>
    /// <param name="dtype">Element type in the file; null for the tensor's own.</param>
    public static TensorSource Source(string name, Tensor value, DType? dtype = null)
    {
        var stored = dtype ?? value.DType;
        return new TensorSource(name, stored, value.Shape, stream => Write(stream, value, stored));
    }

    /// <summary>A weight that may be divided over ranks; it is brought when its turn comes.</summary>
    public static TensorSource Source(string name, Parameter weight, DType? dtype = null)
    {
        var stored = dtype ?? weight.Master;
        return new TensorSource(name, stored, weight.Shape, stream =>
        {
            using var whole = weight.Whole();
            Write(stream, whole.Value, stored);
        });
    }

    private static void Write(Stream stream, Tensor value, DType stored)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        var flat = value.Detach().To(stored).To(Device.Cpu).Contiguous().View(-1);
        for (var start = 0L; start < flat.Count; start += ChunkElements)
        {
            var piece = flat.Slice(0, start, Math.Min(flat.Count, start + ChunkElements));
            stream.Write(stored.Size() switch
            {
                1 => piece.Elements<byte>(),
                2 => MemoryMarshal.AsBytes(piece.Elements<short>()),
                4 => MemoryMarshal.AsBytes(piece.Elements<int>()),
                _ => MemoryMarshal.AsBytes(piece.Elements<long>()),
            });
        }
    }
}
