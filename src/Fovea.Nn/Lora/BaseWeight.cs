using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>A linear's own weight [out, in] as its adapter meets it, as a matrix or in 4 bits.</summary>
internal readonly record struct BaseWeight
{
    private readonly Tensor? dense;
    private readonly FourBitWeight? packed;

    private BaseWeight(Tensor? dense, FourBitWeight? packed, DType type) => (this.dense, this.packed, Type) = (dense, packed, type);

    /// <summary>The element type of the computation.</summary>
    public DType Type { get; }

    /// <summary>Whether there are no numbers.</summary>
    public bool IsShape => (dense ?? packed!.Bytes).Device.Type == DeviceType.Meta;

    public static BaseWeight Of(Parameter weight) => weight is { Packed: { } packed, StandIn: null }
        ? new BaseWeight(null, packed, weight.Compute)
        : new BaseWeight(weight.Use(), null, weight.Compute);

    /// <returns>x W^T + b, [..., out]</returns>
    public Tensor Times(Tensor x, Tensor? bias) => packed?.Times(x, bias) ?? x.Linear(dense!, bias);

    /// <summary>Each row of the weight times each row of a matrix [r, in]; no gradient.</summary>
    /// <returns>[out, r]</returns>
    public Tensor Against(Tensor rows) => packed?.Times(rows, null).Transpose() ?? dense!.Detach().Linear(rows);

    /// <returns>fp32 [out]; no gradient</returns>
    public Tensor RowNorms() => packed?.RowNorms(Type) ?? dense!.Detach().RowNorms();
}
