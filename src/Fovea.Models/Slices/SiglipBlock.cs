using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Slices;

/// <summary>x += attention(norm(x)); x += mlp(norm(x)), with layer norms and plain GELU. SigLIP and timm name the same weights differently.</summary>
internal sealed class SiglipBlock
{
    private readonly Block block;
    private readonly SiglipShape shape;
    private readonly LayerNorm norm1;
    private readonly LayerNorm norm2;
    private readonly SiglipAttention attention;
    private readonly Linear up;
    private readonly Linear down;

    public SiglipBlock(Block block, SiglipShape shape)
    {
        (this.block, this.shape) = (block, shape);
        norm1 = new LayerNorm(block / (shape.Timm ? "norm1" : "layer_norm1"), shape.Width, shape.NormEpsilon);
        attention = new SiglipAttention(block / (shape.Timm ? "attn" : "self_attn"), shape);
        norm2 = new LayerNorm(block / (shape.Timm ? "norm2" : "layer_norm2"), shape.Width, shape.NormEpsilon);
        up = new Linear(block / "mlp" / "fc1", shape.Width, shape.Inner);
        down = new Linear(block / "mlp" / "fc2", shape.Inner, shape.Width);
    }

    public Tensor Forward(Tensor x_PV, Segments images) => block.Run(x => Compute(x, images), x_PV);

    private Tensor Compute(Tensor x_PV, Segments images)
    {
        x_PV = x_PV.Add(attention.Forward(norm1.Forward(x_PV), images));
        return x_PV.Add(down.Forward(up.Forward(norm2.Forward(x_PV)).Gelu(shape.TanhGelu)));
    }
}
