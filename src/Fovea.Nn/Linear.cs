using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>x W^T + b with an optional low-rank adapter. W is [out, in].</summary>
public sealed class Linear
{
    public Linear(Weights w, long inputs, long outputs, bool bias = true)
    {
        Path = w.Path;
        Inputs = inputs;
        Outputs = outputs;
        Weight = w.Take("weight", outputs, inputs);
        Bias = bias ? w.Take("bias", outputs) : null;
        w.Ledger.Register(this);
    }

    /// <summary>Where it sits in the model, as the checkpoint spells it.</summary>
    public string Path { get; }

    public long Inputs { get; }

    public long Outputs { get; }

    public Parameter Weight { get; }

    public Parameter? Bias { get; }

    /// <summary>The adapter, when one is attached.</summary>
    public LoraAdapter? Lora { get; internal set; }

    /// <param name="x">[..., in]</param>
    /// <returns>[..., out]</returns>
    public Tensor Forward(Tensor x)
    {
        if (Lora is null)
        {
            return x.Linear(Weight.Use(), Bias?.Use());
        }

        return Lora.DropsNow || Weight.Trainable
            ? Lora.AddTo(x.Linear(Weight.Use(), Bias?.Use()), x)
            : x.LoraLinear(Weight.Use(), Bias?.Use(), Lora.A.Use(), Lora.B.Use(), Lora.Scale);
    }
}
