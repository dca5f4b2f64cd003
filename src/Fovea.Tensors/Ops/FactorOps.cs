namespace Fovea.Tensors;

/// <summary>Matrices as products of simpler ones.</summary>
internal static class FactorOps
{
    private static readonly Operator SvdOp = new("aten::linalg_svd");
    private static readonly Operator QrOp = new("aten::linalg_qr");

    /// <summary>x [m, n] = U diag(S) V of min(m, n) singular values, descending: U [m, k], S [k], V [k, n].</summary>
    public static (Tensor U, Tensor S, Tensor V) Svd(this Tensor x) => SvdOp.CallList(x, false) is [var u, var s, var v]
        ? (u, s, v)
        : throw new TorchException($"{SvdOp} gave another number of tensors than three");

    /// <summary>x [m, n] = Q R with orthonormal columns in Q [m, k] and R [k, n] upper triangular, k = min(m, n).</summary>
    public static (Tensor Q, Tensor R) Qr(this Tensor x) => QrOp.CallTwo(x);
}
