namespace Fovea.Tensors;

/// <summary>Arithmetic element by element, reductions and products.</summary>
internal static class MathOps
{
    private static readonly Operator ZeroInPlaceOp = new("aten::zero_");
    private static readonly Operator AddOp = new("aten::add", "Tensor");
    private static readonly Operator AddInPlaceOp = new("aten::add_", "Tensor");
    private static readonly Operator AddScalarOp = new("aten::add", "Scalar");
    private static readonly Operator SubOp = new("aten::sub", "Tensor");
    private static readonly Operator MulOp = new("aten::mul", "Tensor");
    private static readonly Operator MulScalarOp = new("aten::mul", "Scalar");
    private static readonly Operator MulScalarInPlaceOp = new("aten::mul_", "Scalar");
    private static readonly Operator DivOp = new("aten::div", "Tensor");
    private static readonly Operator PowOp = new("aten::pow", "Tensor_Scalar");
    private static readonly Operator NegOp = new("aten::neg");
    private static readonly Operator RsqrtOp = new("aten::rsqrt");
    private static readonly Operator ExpOp = new("aten::exp");
    private static readonly Operator CosOp = new("aten::cos");
    private static readonly Operator SinOp = new("aten::sin");
    private static readonly Operator MaskedFillOp = new("aten::masked_fill", "Scalar");
    private static readonly Operator SumOp = new("aten::sum");
    private static readonly Operator SumDimOp = new("aten::sum", "dim_IntList");
    private static readonly Operator MeanDimOp = new("aten::mean", "dim");
    private static readonly Operator MaxOp = new("aten::max");
    private static readonly Operator ArgMaxOp = new("aten::argmax");
    private static readonly Operator EqualOp = new("aten::eq", "Tensor");
    private static readonly Operator AbsOp = new("aten::abs");
    private static readonly Operator SoftmaxOp = new("aten::softmax", "int");
    private static readonly Operator SortOp = new("aten::sort", "stable");
    private static readonly Operator NormOp = new("aten::linalg_vector_norm");
    private static readonly Operator MatMulOp = new("aten::matmul");
    private static readonly Operator LinearOp = new("fovea::linear");
    private static readonly Operator ForEachNormOp = new("aten::_foreach_norm", "Scalar");
    private static readonly Operator ForEachAddOp = new("aten::_foreach_add_", "Tensor");
    private static readonly Operator ForEachCopyOp = new("aten::_foreach_copy_");
    private static readonly Operator ClampMinOp = new("aten::clamp_min");
    private static readonly Operator EqualScalarOp = new("aten::eq", "Scalar");

    public static Tensor Add(this Tensor x, Tensor y) => AddOp.Call(x, y);

    public static Tensor Add(this Tensor x, double y) => AddScalarOp.Call(x, y);

    /// <summary>x += factor * y.</summary>
    public static Tensor Add_(this Tensor x, Tensor y, double factor = 1)
    {
        AddInPlaceOp.Run(x, y, factor);
        return x;
    }

    public static Tensor Sub(this Tensor x, Tensor y) => SubOp.Call(x, y);

    public static Tensor Mul(this Tensor x, Tensor y) => MulOp.Call(x, y);

    public static Tensor Mul(this Tensor x, double y) => MulScalarOp.Call(x, y);

    public static Tensor Mul_(this Tensor x, double y)
    {
        MulScalarInPlaceOp.Run(x, y);
        return x;
    }

    public static Tensor Zero_(this Tensor x)
    {
        ZeroInPlaceOp.Run(x);
        return x;
    }

    public static Tensor Div(this Tensor x, Tensor y) => DivOp.Call(x, y);

    public static Tensor Pow(this Tensor x, double exponent) => PowOp.Call(x, exponent);

    public static Tensor Neg(this Tensor x) => NegOp.Call(x);

    public static Tensor Rsqrt(this Tensor x) => RsqrtOp.Call(x);

    public static Tensor Exp(this Tensor x) => ExpOp.Call(x);

    public static Tensor Cos(this Tensor x) => CosOp.Call(x);

    public static Tensor Sin(this Tensor x) => SinOp.Call(x);

    public static Tensor Abs(this Tensor x) => AbsOp.Call(x);

    /// <summary>A copy with <paramref name="value"/> where the mask is true.</summary>
    public static Tensor MaskedFill(this Tensor x, Tensor mask, double value) => MaskedFillOp.Call(x, mask, value);

    /// <summary>Sum of all elements, in the element type of x.</summary>
    public static Tensor Sum(this Tensor x) => SumOp.Call(x);

    public static Tensor Sum(this Tensor x, int dim, bool keepDim = false) => SumDimOp.Call(x, (long[])[dim], keepDim);

    public static Tensor Mean(this Tensor x, int dim, bool keepDim = false) => MeanDimOp.Call(x, (long[])[dim], keepDim);

    public static Tensor Max(this Tensor x) => MaxOp.Call(x);

    /// <summary>The 64-bit index of the largest element along one dimension, which disappears.</summary>
    public static Tensor ArgMax(this Tensor x, int dim) => ArgMaxOp.Call(x, dim, false);

    /// <summary>Element by element.</summary>
    public static Tensor IsEqual(this Tensor x, Tensor y) => EqualOp.Call(x, y);

    public static Tensor Softmax(this Tensor x, int dim, DType? dtype = null) => SoftmaxOp.Call(x, dim, dtype is { } d ? d : Arg.None);

    /// <summary>Stable sort along one dimension: values and the indices they had.</summary>
    public static (Tensor Values, Tensor Indices) Sort(this Tensor x, int dim, bool descending) => SortOp.CallTwo(x, true, dim, descending);

    /// <summary>Euclidean length over all elements.</summary>
    public static Tensor Norm(this Tensor x) => NormOp.Call(x, 2);

    /// <summary>The L2 norm of every row of a matrix, summed and given in fp32.</summary>
    public static Tensor RowNorms(this Tensor x) => NormOp.Call(x, 2, (long[])[1], false, DType.F32);

    /// <summary>The Euclidean length of each tensor.</summary>
    public static Tensor[] Norms(Tensor[] xs) => ForEachNormOp.CallList(xs, 2);

    /// <summary>Adds one number, a tensor without dimensions on their device, to each tensor in place.</summary>
    public static void AddAll_(Tensor[] xs, Tensor number) => ForEachAddOp.Run(xs, number);

    /// <summary>Copies each tensor over the one at its place, whatever their element types.</summary>
    public static void CopyAll_(Tensor[] to, Tensor[] from) => ForEachCopyOp.Run(to, from);

    /// <summary>What is smaller becomes <paramref name="least"/>; what is no number stays so.</summary>
    public static Tensor ClampMin(this Tensor x, double least) => ClampMinOp.Call(x, least);

    /// <summary>True where x is a number and not infinite.</summary>
    public static Tensor IsFinite(this Tensor x) => EqualScalarOp.Call(x.Sub(x), 0);

    public static Tensor MatMul(this Tensor x, Tensor y) => MatMulOp.Call(x, y);

    /// <summary>x W^T + b, with W [out, in].</summary>
    public static Tensor Linear(this Tensor x, Tensor weight, Tensor? bias = null) => LinearOp.Call(x, weight, bias);
}
