using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>x W^T + b with an optional low-rank adapter. W is [out, in].</summary>
internal sealed class Linear : Adaptable
{
    public Linear(Weights w, long inputs, long outputs, bool bias = true)
        : base(w.Ledger, w.Path, inputs, outputs)
    {
        Weight = w.TakeMatrix("weight", outputs, inputs);
        Bias = bias ? w.Take("bias", outputs) : null;
        w.Ledger.Register(this);
    }

    public override Parameter Weight { get; }

    public Parameter? Bias { get; }

    /// <param name="x">[..., in]</param>
    /// <returns>[..., out]</returns>
    public Tensor Forward(Tensor x)
    {
        if (!AdapterRows.Same(this, out var lora))
        {
            return AdapterRows.Forward(x, this);
        }

        return lora is null ? Base(x)
            : lora.Magnitude is not null && (lora.DropsNow || !AdaptsInside(lora)) ? lora.Decomposed(x, BaseWeight.Of(Weight), Bias?.Use())
            : AdaptsInside(lora) ? Adapted(x, [this], [lora])[0]
            : lora.AddTo(Base(x), x);
    }

    /// <summary>Several linears of one input, at once where they can be: the products of their adapters are shared.</summary>
    /// <param name="x">[..., in]</param>
    /// <returns>[..., out] of each</returns>
    public static Tensor[] Together(Tensor x, params Linear[] linears)
    {
        var adapters = new LoraAdapter[linears.Length];
        for (var i = 0; i < linears.Length; i++)
        {
            var linear = linears[i];
            if (!AdapterRows.Same(linear, out var lora) || lora is null || !linear.AdaptsInside(lora) || (linear.Bias is null) != (linears[0].Bias is null)
                || (lora.Magnitude is not null && lora.DropsNow) || (i > 0 && !lora.GoesWith(adapters[0])))
            {
                return Array.ConvertAll(linears, l => l.Forward(x));
            }

            adapters[i] = lora;
        }

        return Adapted(x, linears, adapters);
    }

    /// <summary>Without an adapter.</summary>
    internal Tensor Base(Tensor x) => Weight.Packed?.Times(x, Bias?.Use()) ?? x.Linear(Weight.Use(), Bias?.Use());

    internal override Tensor Delta(LoraAdapter adapter) => adapter.Delta();

    /// <summary>
    /// Whether the adapter may be computed inside the product, the base weight needing no gradient. On the CPU one with dropout is not: its sums keep the
    /// roundings that they had there, so that a run that is resumed goes on with the same bits. Weights in 4 bits have a product of their own.
    /// </summary>
    private bool AdaptsInside(LoraAdapter lora) =>
        (!lora.DropsNow || !Ledger.OnHost) && Weight is { Trainable: false, Packed: null } && Bias is not { Trainable: true };

    private static Tensor[] Adapted(Tensor x, Linear[] linears, LoraAdapter[] adapters)
    {
        var dropping = adapters[0].Dropping;
        var scaled = adapters[0].Magnitude is not null;
        var y = x.LoraLinears(
            Array.ConvertAll(linears, l => l.Weight.Use()),
            scaled || linears[0].Bias is null ? [] : Array.ConvertAll(linears, l => l.Bias!.Use()),
            Array.ConvertAll(adapters, l => l.A.Value),
            Array.ConvertAll(adapters, l => l.B.Value),
            adapters[0].Scale,
            AdapterCopies.Of(adapters),
            dropping?.KeysOf(x, adapters[0].Part),
            dropping is null ? [] : Array.ConvertAll(adapters, l => (long)l.Module),
            dropping?.Probability ?? 0);
        return scaled ? [.. y.Select((own, i) => adapters[i].Scaled(own, BaseWeight.Of(linears[i].Weight), linears[i].Bias?.Use()))] : y;
    }
}
