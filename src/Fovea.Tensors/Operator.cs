using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>
/// One operator of libtorch or of our own kernels, found by name on first call. Arguments are checked against its schema;
/// trailing ones may be left out. Errors become a <see cref="TorchException"/> that lists every argument.
/// </summary>
internal sealed class Operator
{
    private nint handle;

    public Operator(string name, string overload = "")
    {
        Name = name;
        Overload = overload;
    }

    /// <summary>Sees every call before it is made, on whatever thread; for tests that look for tensors on different devices.</summary>
    public static CallWatcher? Watcher { get; set; }

    /// <summary>With its namespace, for instance <c>aten::mm</c>.</summary>
    public string Name { get; }

    public string Overload { get; }

    internal nint Handle
    {
        get
        {
            if (handle == 0)
            {
                Bridge.EnsureLoaded();
                Bridge.Check(Bridge.Find(Name, Overload, out handle));
            }

            return handle;
        }
    }

    /// <summary>Whether the libtorch at hand, or the bridge, has it.</summary>
    public static bool Exists(string name, string overload = "")
    {
        Bridge.EnsureLoaded();
        return Bridge.Find(name, overload, out _) == 0;
    }

    /// <summary>Calls it for its one tensor.</summary>
    public Tensor Call(params ReadOnlySpan<Arg> args)
    {
        Span<NativeValue> results = stackalloc NativeValue[1];
        Door.Call(this, args, results);
        return Door.ToTensor(results[0]);
    }

    /// <summary>Calls it for its one number; true is 1.</summary>
    public double Number(params ReadOnlySpan<Arg> args)
    {
        Span<NativeValue> results = stackalloc NativeValue[1];
        return Door.Call(this, args, results) == 1 ? Door.ToNumber(results[0]) : throw new TorchException($"{this} returned no number");
    }

    /// <summary>Calls it for its first two tensors of several; the others are released.</summary>
    public (Tensor First, Tensor Second) CallTwo(params ReadOnlySpan<Arg> args)
    {
        Span<NativeValue> results = stackalloc NativeValue[16];
        var count = Door.Call(this, args, results);
        for (var i = 2; i < count; i++)
        {
            Door.Discard(results[i]);
        }

        return (Door.ToTensor(results[0]), Door.ToTensor(results[1]));
    }

    /// <summary>Calls it for a list of tensors: as long as the longest list among the arguments, or 64 at most.</summary>
    public Tensor[] CallList(params ReadOnlySpan<Arg> args)
    {
        var capacity = 64;
        foreach (ref readonly var arg in args)
        {
            capacity = Math.Max(capacity, arg.Ref is Array list ? list.Length : 0);
        }

        var results = new NativeValue[capacity];
        var count = Door.Call(this, args, results);
        var tensors = new Tensor[count];
        for (var i = 0; i < count; i++)
        {
            tensors[i] = Door.ToTensor(results[i]);
        }

        return tensors;
    }

    /// <summary>Calls it for its effect and releases what it returns (in-place operators return their own argument).</summary>
    public void Run(params ReadOnlySpan<Arg> args)
    {
        Span<NativeValue> results = stackalloc NativeValue[16];
        var count = Door.Call(this, args, results);
        for (var i = 0; i < count; i++)
        {
            Door.Discard(results[i]);
        }
    }

    public override string ToString() => Overload.Length == 0 ? Name : $"{Name}.{Overload}";
}
