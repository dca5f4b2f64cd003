using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>The same linear of every expert, without biases, as one weight: [N, out, in], or [N, in, out] where the checkpoint has the inputs first.</summary>
/// <remarks>
/// Suffixes: R rows sorted by expert, N experts. Adapters are PEFT's for such weights: A [r N, in] expert by expert, B [out, r N] rank by rank.
/// </remarks>
internal sealed class ExpertLinears : Adaptable
{
    private readonly long experts;
    private readonly bool inputsFirst;

    /// <param name="w">The module that holds the weight.</param>
    /// <param name="name">The weight's.</param>
    public ExpertLinears(Weights w, string name, long experts, long inputs, long outputs, bool inputsFirst)
        : base(w.Ledger, (w / name).Path, inputs, outputs)
    {
        (this.experts, this.inputsFirst) = (experts, inputsFirst);
        Module = w.Path;
        Weight = inputsFirst ? w.Take(name, experts, inputs, outputs) : w.Take(name, experts, outputs, inputs);
        w.Ledger.Register(this);
    }

    /// <summary>Path of the module that holds the weight.</summary>
    public string Module { get; }

    public override Parameter Weight { get; }

    public override long Matrices => experts;

    /// <param name="x_RI">Rows starts[i] to starts[i + 1] for expert i.</param>
    /// <param name="starts">From 0 to R.</param>
    /// <returns>[R, out]</returns>
    public Tensor Forward(Tensor x_RI, long[] starts)
    {
        var weight = Weight.Use();
        var y_RO = x_RI.StackedLinear(inputsFirst ? weight.Transpose() : weight, starts);
        if (AdapterRows.Same(this, out var lora))
        {
            return lora is null ? y_RO : y_RO.Add(Update(x_RI, starts, lora));
        }

        foreach (var (adapter, rows) in AdapterRows.Of(this))
        {
            var rows_L = CreateOps.On(x_RI.Device, rows);
            long[] within = [.. starts.Select(start => (long)rows.Count(row => row < start))];
            y_RO = y_RO.IndexAdd(0, rows_L, Update(x_RI.IndexSelect(0, rows_L), within, adapter));
        }

        return y_RO;
    }

    internal override Tensor Delta(LoraAdapter adapter)
    {
        var (a, b) = (adapter.A.Value.Detach().To(DType.F32), adapter.B.Value.Detach().To(DType.F32));
        var delta_NOI = OfB(b).MatMul(a.View(experts, -1, Inputs)).Mul_(adapter.Scale);
        return inputsFirst ? delta_NOI.Transpose() : delta_NOI;
    }

    /// <summary>scale * B A of the rows' experts; nothing of the size of the weight is made.</summary>
    private Tensor Update(Tensor x_RI, long[] starts, LoraAdapter adapter) =>
        x_RI.StackedLinear(adapter.A.Use().View(experts, -1, Inputs), starts).StackedLinear(OfB(adapter.B.Use()), starts).Mul(adapter.Scale);

    /// <summary>[out, r N] as [N, out, r].</summary>
    private Tensor OfB(Tensor b) => b.View(Outputs, -1, experts).Permute(2, 0, 1).Contiguous();
}
