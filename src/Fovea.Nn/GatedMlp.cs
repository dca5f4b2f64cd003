using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>down(silu(gate(x)) * up(x)), the SwiGLU form of arXiv 2002.05202.</summary>
internal sealed class GatedMlp(Weights w, long width, long inner, bool bias)
{
    private readonly Linear gate = new(w / "gate_proj", width, inner, bias);
    private readonly Linear up = new(w / "up_proj", width, inner, bias);
    private readonly Linear down = new(w / "down_proj", inner, width, bias);

    public Tensor Forward(Tensor x)
    {
        var both = Linear.Together(x, gate, up);
        return down.Forward(NetOps.SiluMul(both[0], both[1]));
    }

    /// <summary>Several of one shape, each over its stretch of rows.</summary>
    /// <param name="x">[R, width], rows starts[i] to starts[i + 1] for mlps[i].</param>
    /// <param name="starts">From 0 to R; a stretch may be empty.</param>
    /// <returns>[R, width]</returns>
    public static Tensor Grouped(Tensor x, GatedMlp[] mlps, long[] starts)
    {
        if (mlps.Any(mlp => !mlp.IsPlain))
        {
            return ShapeOps.Cat([.. mlps.Select((mlp, i) => Stretch(mlp, starts[i], starts[i + 1]))]);
        }

        var gated = NetOps.SiluMul(Linears(mlp => mlp.gate, x), Linears(mlp => mlp.up, x));
        return Linears(mlp => mlp.down, gated);

        Tensor Stretch(GatedMlp mlp, long from, long end)
        {
            using var rows = PassRows.Slice(from, end);
            return mlp.Forward(x.Slice(0, from, end));
        }

        Tensor Linears(Func<GatedMlp, Linear> which, Tensor rows) => rows.GroupedLinear(Array.ConvertAll(mlps, mlp => which(mlp).Weight.Use()), starts);
    }

    private bool IsPlain => !gate.IsAdapted && !up.IsAdapted && !down.IsAdapted && !bias;
}
