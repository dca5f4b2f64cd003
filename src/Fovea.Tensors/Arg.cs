namespace Fovea.Tensors;

internal enum ArgTag
{
    None = 0,
    Int = 1,
    Double = 2,
    Bool = 3,
    String = 4,
    Device = 5,
    Tensor = 6,
    IntList = 7,
    DoubleList = 8,
    BoolList = 9,
    TensorList = 10,
    OptionalTensorList = 11,
}

/// <summary>One argument of an operator: a tagged union that everything an operator takes converts into.</summary>
internal readonly struct Arg
{
    internal readonly object? Ref;
    internal readonly long Bits;
    internal readonly ArgTag Tag;

    private Arg(ArgTag tag, long bits, object? reference)
    {
        Tag = tag;
        Bits = bits;
        Ref = reference;
    }

    /// <summary>"Not given": the operator's own default, or none.</summary>
    public static Arg None => default;

    public static implicit operator Arg(Tensor? tensor) => tensor is null ? None : new(ArgTag.Tensor, 0, tensor);

    public static implicit operator Arg(long value) => new(ArgTag.Int, value, null);

    public static implicit operator Arg(int value) => new(ArgTag.Int, value, null);

    public static implicit operator Arg(double value) => new(ArgTag.Double, BitConverter.DoubleToInt64Bits(value), null);

    public static implicit operator Arg(bool value) => new(ArgTag.Bool, value ? 1 : 0, null);

    public static implicit operator Arg(string value) => new(ArgTag.String, 0, value);

    public static implicit operator Arg(DType dtype) => new(ArgTag.Int, (long)dtype, null);

    public static implicit operator Arg(Device device) => new(ArgTag.Device, device.Packed, null);

    public static implicit operator Arg(long[] values) => new(ArgTag.IntList, 0, values);

    public static implicit operator Arg(double[] values) => new(ArgTag.DoubleList, 0, values);

    public static implicit operator Arg(Tensor[] tensors) => new(ArgTag.TensorList, 0, tensors);

    /// <summary>A list in which single entries may be absent, for instance the indices of <c>aten::index</c>.</summary>
    public static Arg Optional(Tensor?[] tensors) => new(ArgTag.OptionalTensorList, 0, tensors);

    /// <summary>The tensors in it, absent ones left out.</summary>
    public IEnumerable<Tensor> Tensors => Ref switch
    {
        Tensor one => [one],
        Tensor?[] many => many.OfType<Tensor>(),
        _ => [],
    };

    internal string Describe() => Tag switch
    {
        ArgTag.None => "none",
        ArgTag.Tensor => ((Tensor)Ref!).Describe(),
        ArgTag.TensorList => $"[{string.Join(", ", ((Tensor[])Ref!).Take(8).Select(t => t.Describe()))}{(((Tensor[])Ref!).Length > 8 ? ", ..." : "")}]",
        ArgTag.OptionalTensorList => $"[{string.Join(", ", ((Tensor?[])Ref!).Select(t => t?.Describe() ?? "none"))}]",
        ArgTag.IntList => $"[{string.Join(", ", (long[])Ref!)}]",
        ArgTag.DoubleList => $"[{string.Join(", ", (double[])Ref!)}]",
        ArgTag.String => $"\"{Ref}\"",
        ArgTag.Double => BitConverter.Int64BitsToDouble(Bits).ToString("R"),
        ArgTag.Bool => Bits != 0 ? "true" : "false",
        ArgTag.Device => Device.Unpack(Bits).ToString(),
        _ => Bits.ToString(),
    };
}
