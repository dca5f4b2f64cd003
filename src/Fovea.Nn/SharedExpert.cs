using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>A gated MLP that takes every token, beside the experts that a router chooses; a gate of its own says how much of it counts.</summary>
/// <remarks>Suffixes: T tokens, E width.</remarks>
/// <param name="w">The mixture that it belongs to.</param>
internal sealed class SharedExpert(Weights w, long width, long inner)
{
    private readonly GatedMlp mlp = new(w / "shared_expert", width, inner, bias: false);
    private readonly Linear gate = new(w / "shared_expert_gate", width, 1, bias: false);

    /// <param name="watch">Sees the MLP's result and the gate before its sigmoid; for tests.</param>
    /// <returns>[T, E]</returns>
    public Tensor Forward(Tensor x_TE, Action<string, Tensor>? watch = null)
    {
        var (y_TE, gate_T1) = (mlp.Forward(x_TE), gate.Forward(x_TE));
        watch?.Invoke("shared_expert_out", y_TE);
        watch?.Invoke("shared_expert_gate", gate_T1);
        return y_TE.Mul(gate_T1.Sigmoid());
    }
}
