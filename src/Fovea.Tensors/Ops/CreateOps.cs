using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>New tensors.</summary>
internal static class CreateOps
{
    private static readonly Operator EmptyOp = new("aten::empty", "memory_format");
    private static readonly Operator FullOp = new("aten::full");
    private static readonly Operator ArangeOp = new("aten::arange", "start_step");
    private static readonly Operator NormalOp = new("aten::normal_");
    private static readonly Operator UniformOp = new("aten::uniform_");

    /// <summary>Memory as it comes; write before reading.</summary>
    public static Tensor Empty(long[] shape, DType dtype = DType.F32, Device device = default) => EmptyOp.Call(shape, dtype, Arg.None, device);

    public static Tensor Full(long[] shape, double value, DType dtype = DType.F32, Device device = default) =>
        FullOp.Call(shape, value, dtype, Arg.None, device);

    public static Tensor Zeros(long[] shape, DType dtype = DType.F32, Device device = default) => Full(shape, 0, dtype, device);

    public static Tensor Ones(long[] shape, DType dtype = DType.F32, Device device = default) => Full(shape, 1, dtype, device);

    /// <summary>start, start + step, ... up to but without end.</summary>
    public static Tensor Arange(double start, double end, double step = 1, DType dtype = DType.I64, Device device = default) =>
        ArangeOp.Call(start, end, step, dtype, Arg.None, device);

    /// <summary>Copies managed numbers (float, double, long, int, byte, bool as its type says) into a new CPU tensor.</summary>
    public static Tensor From<T>(ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        var tensor = Empty(shape.Length == 0 ? [values.Length] : shape.ToArray(), DTypeOf<T>());
        if (tensor.Count != values.Length)
        {
            throw new ArgumentException($"{values.Length} values do not fill {tensor.Describe()}");
        }

        values.CopyTo(TensorMemory.Span<T>(tensor));
        return tensor;
    }

    /// <inheritdoc cref="From{T}(ReadOnlySpan{T}, ReadOnlySpan{long})"/>
    public static Tensor From<T>(T[] values, params ReadOnlySpan<long> shape)
        where T : unmanaged => From((ReadOnlySpan<T>)values, shape);

    /// <summary>
    /// Copies managed numbers to a device. To a GPU they go through pinned memory on the current stream, and nobody waits: the pinned memory stays
    /// untouched until the copy is done.
    /// </summary>
    public static Tensor On<T>(Device device, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        if (device.Type != DeviceType.Cuda)
        {
            return From(values, shape).To(device);
        }

        var host = Staging(shape.Length == 0 ? [values.Length] : shape.ToArray(), DTypeOf<T>(), device);
        if (host.Count != values.Length)
        {
            throw new ArgumentException($"{values.Length} values do not fill {host.Describe()}");
        }

        values.CopyTo(TensorMemory.Span<T>(host));
        return host.Send(device);
    }

    /// <inheritdoc cref="On{T}(Device, ReadOnlySpan{T}, ReadOnlySpan{long})"/>
    public static Tensor On<T>(Device device, T[] values, params ReadOnlySpan<long> shape)
        where T : unmanaged => On(device, (ReadOnlySpan<T>)values, shape);

    /// <summary>CPU memory to be filled and sent to the device: pinned when that is a GPU.</summary>
    /// <param name="pinned">False leaves it pageable also then.</param>
    public static Tensor Staging(long[] shape, DType dtype, Device device, bool pinned = true) =>
        EmptyOp.Call(shape, dtype, Arg.None, Device.Cpu, pinned && device.Type == DeviceType.Cuda);

    /// <summary>Fills with normal random numbers of the default generator.</summary>
    public static Tensor Normal_(this Tensor x, double mean, double deviation)
    {
        NormalOp.Run(x, mean, deviation);
        return x;
    }

    /// <summary>Fills with uniform random numbers of the default generator, in [low, high).</summary>
    public static Tensor Uniform_(this Tensor x, double low, double high)
    {
        UniformOp.Run(x, low, high);
        return x;
    }

    /// <summary>The elements as managed numbers, outermost dimension first; copied to the CPU and made contiguous as needed.</summary>
    public static T[] ToArray<T>(this Tensor x)
        where T : unmanaged
    {
        using var scope = TensorScope.Open("read");
        return TensorMemory.Span<T>(x.To(Device.Cpu).Contiguous()).ToArray();
    }

    /// <summary>The one element of a tensor, as a double.</summary>
    public static double Item(this Tensor x)
    {
        if (x.Count != 1)
        {
            throw new InvalidOperationException($"one element expected, not {x.Describe()}");
        }

        using var scope = TensorScope.Open("read");
        return TensorMemory.Span<double>(x.Detach().To(DType.F64).To(Device.Cpu).Contiguous())[0];
    }

    /// <summary>All bytes of a contiguous CPU tensor, valid while it is; the length may exceed what a span holds.</summary>
    public static (nint Address, long Bytes) Memory(this Tensor x) => TensorMemory.Bytes(x);

    /// <summary>The elements of a contiguous CPU tensor in place, for reading and writing; valid while the tensor is.</summary>
    public static Span<T> Elements<T>(this Tensor x)
        where T : unmanaged => TensorMemory.Span<T>(x);

    /// <summary>A tensor over memory of somebody else, which <paramref name="release"/> gives back when the last view is gone (on any thread).</summary>
    public static Tensor FromMemory(nint address, long[] shape, DType dtype, Action release) => TensorMemory.Wrap(address, shape, dtype, release);

    private static DType DTypeOf<T>() => default(T) switch
    {
        float => DType.F32,
        double => DType.F64,
        long => DType.I64,
        int => DType.I32,
        short => DType.I16,
        byte => DType.U8,
        sbyte => DType.I8,
        bool => DType.Bool,
        Half => DType.F16,
        _ => throw new ArgumentException($"no element type holds {typeof(T).Name}"),
    };
}
