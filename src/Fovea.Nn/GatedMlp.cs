using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>down(silu(gate(x)) * up(x)), the SwiGLU form of arXiv 2002.05202.</summary>
public sealed class GatedMlp(Weights w, long width, long inner, bool bias)
{
    private readonly Linear gate = new(w / "gate_proj", width, inner, bias);
    private readonly Linear up = new(w / "up_proj", width, inner, bias);
    private readonly Linear down = new(w / "down_proj", inner, width, bias);

    public Tensor Forward(Tensor x)
    {
        var both = Linear.Together(x, gate, up);
        return down.Forward(NetOps.SiluMul(both[0], both[1]));
    }
}
