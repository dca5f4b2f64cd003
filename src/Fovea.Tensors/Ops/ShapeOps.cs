namespace Fovea.Tensors;

/// <summary>Views and copies that change shape, place or type, never values.</summary>
internal static class ShapeOps
{
    private static readonly Operator ViewOp = new("aten::view");
    private static readonly Operator ViewTypeOp = new("aten::view", "dtype");
    private static readonly Operator ReshapeOp = new("aten::reshape");
    private static readonly Operator TransposeOp = new("aten::transpose", "int");
    private static readonly Operator PermuteOp = new("aten::permute");
    private static readonly Operator SliceOp = new("aten::slice", "Tensor");
    private static readonly Operator SelectOp = new("aten::select", "int");
    private static readonly Operator UnsqueezeOp = new("aten::unsqueeze");
    private static readonly Operator SqueezeOp = new("aten::squeeze", "dim");
    private static readonly Operator ExpandOp = new("aten::expand");
    private static readonly Operator CatOp = new("aten::cat");
    private static readonly Operator SplitOp = new("aten::split_with_sizes");
    private static readonly Operator IndexSelectOp = new("aten::index_select");
    private static readonly Operator IndexCopyOp = new("aten::index_copy");
    private static readonly Operator IndexAddOp = new("aten::index_add");
    private static readonly Operator GatherOp = new("aten::gather");
    private static readonly Operator ContiguousOp = new("aten::contiguous");
    private static readonly Operator CloneOp = new("aten::clone");
    private static readonly Operator DetachOp = new("aten::detach");
    private static readonly Operator ToOp = new("aten::to", "dtype_layout");
    private static readonly Operator CopyOp = new("aten::copy_");

    public static Tensor View(this Tensor x, params long[] shape) => ViewOp.Call(x, shape);

    /// <summary>The same memory read as another element type; the last dimension grows or shrinks with the size of an element.</summary>
    public static Tensor Bits(this Tensor x, DType dtype) => ViewTypeOp.Call(x, dtype);

    /// <summary>As <see cref="View"/>, copying when the strides forbid a view.</summary>
    public static Tensor Reshape(this Tensor x, params long[] shape) => ReshapeOp.Call(x, shape);

    public static Tensor Transpose(this Tensor x, int a = -2, int b = -1) => TransposeOp.Call(x, a, b);

    public static Tensor Permute(this Tensor x, params long[] dims) => PermuteOp.Call(x, dims);

    /// <summary>Elements start .. end - 1 of one dimension, as a view.</summary>
    public static Tensor Slice(this Tensor x, int dim, long start, long end) => SliceOp.Call(x, dim, start, end, 1);

    /// <summary>One index of one dimension, which disappears.</summary>
    public static Tensor Select(this Tensor x, int dim, long index) => SelectOp.Call(x, dim, index);

    public static Tensor Unsqueeze(this Tensor x, int dim) => UnsqueezeOp.Call(x, dim);

    public static Tensor Squeeze(this Tensor x, int dim) => SqueezeOp.Call(x, dim);

    public static Tensor Expand(this Tensor x, params long[] shape) => ExpandOp.Call(x, shape);

    public static Tensor Cat(Tensor[] parts, int dim = 0) => CatOp.Call(parts, dim);

    /// <summary>Views of consecutive parts of one dimension.</summary>
    public static Tensor[] Split(this Tensor x, long[] sizes, int dim) => SplitOp.CallList(x, sizes, dim);

    /// <summary>Rows (or another dimension) by an index vector of 64-bit integers.</summary>
    public static Tensor IndexSelect(this Tensor x, int dim, Tensor index) => IndexSelectOp.Call(x, dim, index);

    /// <summary>A copy of x in which the indexed rows are those of <paramref name="source"/>.</summary>
    public static Tensor IndexCopy(this Tensor x, int dim, Tensor index, Tensor source) => IndexCopyOp.Call(x, dim, index, source);

    /// <summary>A copy of x to whose indexed rows those of <paramref name="source"/> are added.</summary>
    public static Tensor IndexAdd(this Tensor x, int dim, Tensor index, Tensor source) => IndexAddOp.Call(x, dim, index, source);

    public static Tensor Gather(this Tensor x, int dim, Tensor index) => GatherOp.Call(x, dim, index);

    public static Tensor Contiguous(this Tensor x) => ContiguousOp.Call(x);

    public static Tensor Clone(this Tensor x) => CloneOp.Call(x);

    /// <summary>The same memory, outside the graph.</summary>
    public static Tensor Detach(this Tensor x) => DetachOp.Call(x);

    /// <summary>In another element type; the same tensor when it already has it.</summary>
    public static Tensor To(this Tensor x, DType dtype) => x.DType == dtype ? x : ToOp.Call(x, dtype);

    /// <summary>On another device; the same tensor when it is already there.</summary>
    public static Tensor To(this Tensor x, Device device)
    {
        if (x.Device == device)
        {
            return x;
        }

        DeviceReads.Announce(x, device);
        return ToOp.Call(x, Arg.None, Arg.None, device);
    }

    /// <summary>As <see cref="To(Tensor, Device)"/>, without waiting where x is pinned (<see cref="CreateOps.Staging"/>).</summary>
    public static Tensor Send(this Tensor x, Device device) => x.Device == device ? x : ToOp.Call(x, Arg.None, Arg.None, device, Arg.None, true);

    /// <summary>Overwrites x with the values of <paramref name="source"/>, converting type and device.</summary>
    public static Tensor Copy_(this Tensor x, Tensor source)
    {
        if (DeviceReads.AreWatched)
        {
            DeviceReads.Announce(source, x.Device);
        }

        CopyOp.Run(x, source);
        return x;
    }

    /// <summary>As <see cref="Copy_"/>, without waiting where the source is pinned or on x's device: the current stream does it in its turn.</summary>
    public static Tensor Fetch_(this Tensor x, Tensor source)
    {
        CopyOp.Run(x, source, true);
        return x;
    }
}
