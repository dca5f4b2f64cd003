using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// The low-rank update of one linear: y += scale * B (A dropout(x)). A is [r, in], B is [out, r]. With magnitudes (DoRA) the rows of the updated weight are
/// given these lengths instead of their own.
/// </summary>
internal sealed class LoraAdapter : IDisposable
{
    private Tensor? excess;

    internal LoraAdapter(Parameter a, Parameter b, double scale, DropoutStream? dropout, ModelPart part, int module, Parameter? magnitude = null)
    {
        Part = part;
        A = a;
        B = b;
        Magnitude = magnitude;
        Scale = scale;
        Dropout = dropout;
        Module = module;
    }

    public Parameter A { get; }

    public Parameter B { get; }

    /// <summary>The lengths of the weight's rows, [out]; null without weight decomposition.</summary>
    public Parameter? Magnitude { get; }

    public double Scale { get; }

    /// <summary>What it began with, where that was taken out of the weight; null over the whole weight. Freed with it.</summary>
    public InitialFactors? Initial { get; internal set; }

    /// <summary>Where its linear sits, which says what the rows of its inputs are.</summary>
    internal ModelPart Part { get; }

    /// <summary>Its number, which tells its dropout from that of others.</summary>
    internal int Module { get; }

    /// <summary>What drops its inputs in training; shared by all adapters.</summary>
    internal DropoutStream? Dropout { get; }

    /// <summary>What drops its inputs now; null where nothing does.</summary>
    internal DropoutStream? Dropping => DropsNow ? Dropout : null;

    /// <summary>Whether the adapter sees another input than the base weight now, because dropout is at work.</summary>
    internal bool DropsNow => Dropout is not null && Autograd.IsRecording;

    internal IEnumerable<Parameter> Parameters => Magnitude is null ? [A, B] : [A, B, Magnitude];

    /// <summary>What it keeps in memory for good.</summary>
    internal IEnumerable<Tensor> Tensors => Parameters.Select(parameter => parameter.Value).Concat(Initial is null ? [] : [Initial.A, Initial.B]);

    /// <summary>Whether both can be computed in one product of their linears' input.</summary>
    internal bool GoesWith(LoraAdapter other) => Scale == other.Scale && (Magnitude is null) == (other.Magnitude is null);

    /// <summary>scale * B A: what merging adds to the weight [out, in], in fp32.</summary>
    public Tensor Delta() => B.Value.Detach().To(DType.F32).MatMul(A.Value.Detach().To(DType.F32)).Mul_(Scale);

    /// <summary>The weight [out, in] with the adapter in it, in fp32.</summary>
    /// <param name="updated">The weight with <see cref="Delta"/> added; it may be changed.</param>
    internal Tensor Rescaled(Tensor updated) => Magnitude is null ? updated
        : updated.Mul(Magnitude.Value.Detach().To(DType.F32).To(updated.Device).Div(updated.RowNorms()).Unsqueeze(1));

    internal Tensor AddTo(Tensor y, Tensor x)
    {
        var dropped = Dropping?.Apply(x, Part, Module) ?? x;
        return y.Add(Update(dropped));
    }

    /// <summary>The result of a linear with magnitudes, of its frozen or learning weight [out, in].</summary>
    internal Tensor Decomposed(Tensor x, BaseWeight weight, Tensor? bias)
    {
        if (Dropping is not { } dropping)
        {
            return Scaled(weight.Times(x, null).Add(Update(x)), weight, bias);
        }

        // As in PEFT the weight's own result is of the whole input; what learning adds to it sees what dropout left.
        var dropped = dropping.Apply(x, Part, Module);
        var update = Update(dropped);
        return weight.Times(x, bias).Add(update).Add(weight.Times(dropped, null).Add(update).Mul(Excess(weight)));
    }

    /// <summary>Each output by magnitude / norm of its row, and the bias after that.</summary>
    /// <param name="y">Of the updated weight, without the bias.</param>
    internal Tensor Scaled(Tensor y, BaseWeight weight, Tensor? bias)
    {
        // The difference from 1 is small, so that few of its digits are lost in 16 bits.
        var scaled = y.Add(y.Mul(Excess(weight)));
        return bias is null ? scaled : scaled.Add(bias);
    }

    /// <summary>Frees its weights.</summary>
    public void Dispose()
    {
        excess?.Dispose();
        foreach (var tensor in Tensors)
        {
            tensor.Dispose();
        }
    }

    internal Tensor Update(Tensor x) => x.Linear(A.Use()).Linear(B.Use()).Mul(Scale);

    /// <summary>magnitude / norm - 1 of each row, in the weight's type; computed once where nothing of it changes.</summary>
    private Tensor Excess(BaseWeight weight)
    {
        if (excess is not null)
        {
            return excess;
        }

        var made = Magnitude!.Value.To(DType.F32).Div(Norms(weight)).Add(-1).To(weight.Type);
        if (!Magnitude.Trainable && Magnitude.StandIn is null && !weight.IsShape)
        {
            excess = made.Keep();
        }

        return made;
    }

    /// <summary>
    /// Lengths of the rows of W + scale B A, in fp32, by |w|^2 + 2 scale w A^T b + scale^2 b A A^T b: nothing of the size of the weight is made. No gradient
    /// goes through them, by the method's own rule.
    /// </summary>
    private Tensor Norms(BaseWeight weight)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("norms");
        var (a, b) = (A.Value.Detach().To(DType.F32), B.Value.Detach().To(DType.F32));
        var own = weight.RowNorms();
        var across = weight.Against(A.Value.Detach().To(weight.Type)).To(DType.F32).Mul(2 * Scale);
        var update = b.MatMul(a.MatMul(a.Transpose())).Mul(Scale * Scale);
        var square = own.Mul(own).Add(across.Add(update).Mul(b).Sum(1));
        return scope.Release(square.ClampMin(0).Pow(0.5));
    }
}
