using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>Tensor contents as managed memory, and managed or mapped memory as tensors.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>What libtorch says of a tensor.</summary>
    internal static NativeFacts FactsOf(Tensor tensor)
    {
        NativeFacts facts;
        var status = Bridge.Facts(tensor.Handle, &facts);
        GC.KeepAlive(tensor);
        Bridge.Check(status);
        return facts;
    }

    /// <summary>A second handle on the same tensor.</summary>
    internal static nint Retained(Tensor tensor)
    {
        var second = Bridge.Retain(tensor.Handle);
        GC.KeepAlive(tensor);
        return second;
    }

    internal static long SizeAt(NativeFacts facts, int dim) => facts.Sizes[dim];

    /// <summary>The elements of a contiguous CPU tensor, in place. Valid while the tensor is.</summary>
    internal static Span<T> Span<T>(Tensor tensor)
        where T : unmanaged
    {
        var facts = tensor.Facts();
        if (facts.Contiguous == 0 || tensor.Device.Type != DeviceType.Cpu)
        {
            throw new InvalidOperationException($"only a contiguous CPU tensor can be read in place: {tensor.Describe()}");
        }

        if (Unsafe.SizeOf<T>() != tensor.DType.Size())
        {
            throw new InvalidOperationException($"{tensor.Describe()} does not hold elements of {typeof(T).Name}");
        }

        return new Span<T>((void*)facts.Data, checked((int)tensor.Count));
    }

    /// <summary>All bytes of a contiguous CPU tensor, as address and length, for files larger than a span can hold.</summary>
    internal static (nint Address, long Bytes) Bytes(Tensor tensor)
    {
        var facts = tensor.Facts();
        if (facts.Contiguous == 0 || tensor.Device.Type != DeviceType.Cpu)
        {
            throw new InvalidOperationException($"only a contiguous CPU tensor can be read in place: {tensor.Describe()}");
        }

        return (facts.Data, tensor.Count * tensor.DType.Size());
    }

    /// <summary>A tensor of its own over a part of a dense one's memory.</summary>
    internal static Tensor Over(Tensor whole, long start, long[] shape)
    {
        nint handle;
        int status;
        fixed (long* sizes = shape)
        {
            status = Bridge.Over(whole.Handle, start, sizes, shape.Length, out handle);
        }

        GC.KeepAlive(whole);
        Bridge.Check(status);
        return new Tensor(handle);
    }

    /// <summary>Wraps memory at an address; <paramref name="release"/> runs when the last view of it is gone, on any thread.</summary>
    internal static Tensor Wrap(nint address, long[] shape, DType dtype, Action release)
    {
        Bridge.EnsureLoaded();
        var context = Pinned.Open(release);
        nint handle;
        int status;
        fixed (long* sizes = shape)
        {
            status = Bridge.FromMemory((void*)address, sizes, shape.Length, (int)dtype, &Free, context, out handle);
        }

        if (status != 0)
        {
            Pinned.Close(context);
            Bridge.Check(status);
        }

        return new Tensor(handle);
    }

    [UnmanagedCallersOnly]
    private static void Free(nint context)
    {
        try
        {
            Pinned.Of<Action>(context)();
        }
        catch (Exception e)
        {
            // Nothing may be thrown into native code; a failed unmap loses address space, not data.
#pragma warning disable RS0030 // There is no caller to throw to.
            Console.Error.WriteLine($"releasing mapped memory failed: {e.Message}");
#pragma warning restore RS0030
        }

        Pinned.Close(context);
    }
}
