using System.Buffers;
using System.Text;

namespace Fovea.Tensors.Native;

/// <summary>Marshals one boxed call, or hands a handle to one of the bridge's own. What keeps tensors alive across a call lies in this folder.</summary>
internal static unsafe class Door
{
    private const int StackWords = 128;

    internal static int Call(Operator op, ReadOnlySpan<Arg> args, Span<NativeValue> results)
    {
        Operator.Watcher?.Invoke(op, args);
        var handle = op.Handle;
        var words = 0;
        foreach (ref readonly var arg in args)
        {
            words += WordsFor(arg);
        }

        long[]? rented = null;
        var scratch = words <= StackWords ? stackalloc long[StackWords] : rented = ArrayPool<long>.Shared.Rent(words);
        Span<NativeValue> values = stackalloc NativeValue[args.Length];
        int status;
        var count = 0;
        try
        {
            fixed (long* words0 = scratch)
            fixed (NativeValue* argv = values)
            fixed (NativeValue* resultv = results)
            {
                var at = 0;
                for (var i = 0; i < args.Length; i++)
                {
                    argv[i] = Pack(args[i], words0, scratch, ref at);
                }

                status = Bridge.Call(handle, argv, args.Length, resultv, results.Length, &count);
            }
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<long>.Shared.Return(rented);
            }
        }

        foreach (ref readonly var arg in args)
        {
            GC.KeepAlive(arg.Ref);
        }

        if (status != 0)
        {
            Throw(op, args);
        }

        return count;
    }

    /// <summary>A call that takes a tensor's handle: the tensor lives until it is done, and a bad status becomes an exception.</summary>
    internal static void With(Tensor tensor, Func<nint, int> call)
    {
        var status = call(tensor.Handle);
        GC.KeepAlive(tensor);
        Bridge.Check(status);
    }

    /// <summary>As the other overload, with two; the second's handle is 0 where there is none.</summary>
    internal static void With(Tensor tensor, Tensor? other, Func<nint, nint, int> call)
    {
        var status = call(tensor.Handle, other?.Handle ?? 0);
        GC.KeepAlive(tensor);
        GC.KeepAlive(other);
        Bridge.Check(status);
    }

    internal static Tensor ToTensor(NativeValue value) => value.Tag == ArgTag.Tensor && value.Bits != 0
        ? new Tensor((nint)value.Bits)
        : throw new TorchException("the operator returned no tensor where one was expected");

    internal static double ToNumber(NativeValue value) => value.Tag switch
    {
        ArgTag.Int or ArgTag.Bool => value.Bits,
        ArgTag.Double => BitConverter.Int64BitsToDouble(value.Bits),
        _ => throw new TorchException("the operator returned no number where one was expected"),
    };

    internal static void Discard(NativeValue value)
    {
        if (value.Tag == ArgTag.Tensor)
        {
            Bridge.Release((nint)value.Bits);
        }
    }

    private static int WordsFor(in Arg arg) => arg.Tag switch
    {
        ArgTag.IntList => ((long[])arg.Ref!).Length,
        ArgTag.DoubleList => ((double[])arg.Ref!).Length,
        ArgTag.TensorList or ArgTag.OptionalTensorList => ((Tensor?[])arg.Ref!).Length,
        ArgTag.String => (Encoding.UTF8.GetByteCount((string)arg.Ref!) + 7) / 8,
        _ => 0,
    };

    private static NativeValue Pack(in Arg arg, long* words0, Span<long> scratch, ref int at)
    {
        var value = new NativeValue { Tag = arg.Tag, Bits = arg.Bits };
        switch (arg.Tag)
        {
            case ArgTag.Tensor:
                value.Bits = ((Tensor)arg.Ref!).Handle;
                return value;
            case ArgTag.IntList:
                var ints = (long[])arg.Ref!;
                ints.CopyTo(scratch[at..]);
                value.Count = ints.Length;
                break;
            case ArgTag.DoubleList:
                var doubles = (double[])arg.Ref!;
                for (var i = 0; i < doubles.Length; i++)
                {
                    scratch[at + i] = BitConverter.DoubleToInt64Bits(doubles[i]);
                }

                value.Count = doubles.Length;
                break;
            case ArgTag.TensorList or ArgTag.OptionalTensorList:
                var tensors = (Tensor?[])arg.Ref!;
                for (var i = 0; i < tensors.Length; i++)
                {
                    scratch[at + i] = tensors[i]?.Handle ?? 0;
                }

                value.Count = tensors.Length;
                break;
            case ArgTag.String:
                var text = (string)arg.Ref!;
                value.Count = Encoding.UTF8.GetBytes(text, new Span<byte>(words0 + at, (scratch.Length - at) * 8));
                break;
            default:
                return value;
        }

        value.Bits = (long)(words0 + at);
        at += WordsFor(arg);
        return value;
    }

    private static void Throw(Operator op, ReadOnlySpan<Arg> args)
    {
        Autograd.RethrowPending();
        var text = new StringBuilder($"{op}: {Bridge.LastErrorText()}");
        for (var i = 0; i < args.Length; i++)
        {
            text.Append($"\n  argument {i}: {args[i].Describe()}");
        }

        throw new TorchException(text.ToString());
    }
}
