using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Fovea.Files.Safetensors;

namespace Fovea.Tests.Unit.Files;

/// <summary>Small files for the tests of this folder.</summary>
internal static class Samples
{
    /// <summary>A safetensors file from its parts, however wrong.</summary>
    public static byte[] Safetensors(string header, int dataBytes, long? headerLength = null)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var file = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, headerLength ?? json.Length);
        json.CopyTo(file, 8);
        for (var i = 0; i < dataBytes; i++)
        {
            file[8 + json.Length + i] = (byte)i;
        }

        return file;
    }

    public static TensorSource Floats(string name, params float[] values) => Floats(name, [values.Length], values);

    public static TensorSource Floats(string name, long[] shape, float[] values) =>
        TensorSource.FromBytes(name, DType.F32, shape, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    public static float[] Floats(this TensorEntry entry)
    {
        Assert.Equal(DType.F32, entry.DType);
        return MemoryMarshal.Cast<byte, float>(entry.Span).ToArray();
    }
}
