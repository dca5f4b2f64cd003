using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>The low-rank update of one linear: y += scale * B (A dropout(x)). A is [r, in], B is [out, r].</summary>
internal sealed class LoraAdapter
{
    internal LoraAdapter(Parameter a, Parameter b, double scale, DropoutStream? dropout, ModelPart part, int module)
    {
        Part = part;
        A = a;
        B = b;
        Scale = scale;
        Dropout = dropout;
        Module = module;
    }

    public Parameter A { get; }

    public Parameter B { get; }

    public double Scale { get; }

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

    internal IEnumerable<Parameter> Parameters => [A, B];

    /// <summary>scale * B A: what merging adds to the weight [out, in], in fp32.</summary>
    public Tensor Delta() => B.Value.Detach().To(DType.F32).MatMul(A.Value.Detach().To(DType.F32)).Mul_(Scale);

    internal Tensor AddTo(Tensor y, Tensor x)
    {
        var dropped = Dropping?.Apply(x, Part, Module) ?? x;
        return y.Add(dropped.Linear(A.Use()).Linear(B.Use()).Mul(Scale));
    }
}
