using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>x += attention(norm(x)); x += mlp(norm(x)), with layer norms and a plain MLP, everything biased, without causality.</summary>
/// <remarks>Suffixes: P patches, V tower width, H heads, D head size.</remarks>
/// <param name="activation">Of the MLP.</param>
internal sealed class TowerBlock(Block block, TowerShape shape, Func<Tensor, Tensor> activation)
{
    private readonly LayerNorm norm1 = new(block / "norm1", shape.Width, TowerShape.NormEpsilon);
    private readonly Linear qkv = new(block / "attn" / "qkv", shape.Width, 3L * shape.Width);
    private readonly Linear proj = new(block / "attn" / "proj", shape.Width, shape.Width);
    private readonly LayerNorm norm2 = new(block / "norm2", shape.Width, TowerShape.NormEpsilon);
    private readonly Linear up = new(block / "mlp" / shape.Up, shape.Width, shape.Inner);
    private readonly Linear down = new(block / "mlp" / shape.Down, shape.Inner, shape.Width);

    public Tensor Forward(Tensor x_PV, Rotary rotary, Segments frames) => block.Run(x => Compute(x, rotary, frames), x_PV);

    private Tensor Compute(Tensor x_PV, Rotary rotary, Segments frames)
    {
        var size = shape.Width / shape.Heads;
        var qkv_P3HD = qkv.Forward(norm1.Forward(x_PV)).View(-1, 3, shape.Heads, size);
        var v_PHD = qkv_P3HD.Select(1, 2);
        var q_PHD = rotary.Apply(qkv_P3HD.Select(1, 0));
        var k_PHD = rotary.Apply(qkv_P3HD.Select(1, 1));
        x_PV = x_PV.Add(proj.Forward(Attention.Packed(q_PHD, k_PHD, v_PHD, frames, causal: false, Math.Pow(size, -0.5))));
        return x_PV.Add(down.Forward(activation(up.Forward(norm2.Forward(x_PV)))));
    }
}
