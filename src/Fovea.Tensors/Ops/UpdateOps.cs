namespace Fovea.Tensors;

/// <summary>What optimizers need besides arithmetic.</summary>
internal static class UpdateOps
{
    private static readonly Operator AddOp = new("aten::add", "Tensor");
    private static readonly Operator SignOp = new("aten::sign");
    private static readonly Operator LerpOp = new("aten::lerp", "Scalar");
    private static readonly Operator AddMmOp = new("aten::addmm");
    private static readonly Operator WhereOp = new("aten::where", "self");

    /// <summary>x + factor * y.</summary>
    public static Tensor AddScaled(this Tensor x, Tensor y, double factor) => AddOp.Call(x, y, factor);

    public static Tensor Sign(this Tensor x) => SignOp.Call(x);

    /// <summary>x + part * (y - x).</summary>
    public static Tensor Lerp(this Tensor x, Tensor y, double part) => LerpOp.Call(x, y, part);

    /// <summary>beta * x + alpha * (a b).</summary>
    public static Tensor AddMm(this Tensor x, Tensor a, Tensor b, double beta, double alpha = 1) => AddMmOp.Call(x, a, b, beta, alpha);

    /// <summary>x where the condition holds, else y.</summary>
    public static Tensor Where(Tensor condition, Tensor x, Tensor y) => WhereOp.Call(condition, x, y);
}
