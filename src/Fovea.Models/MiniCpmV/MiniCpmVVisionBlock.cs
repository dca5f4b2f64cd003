using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV;

/// <summary>x += attention(norm(x)); x += mlp(norm(x)), with layer norms and plain GELU. SigLIP and timm name the same weights differently.</summary>
internal sealed class MiniCpmVVisionBlock
{
    private readonly Block block;
    private readonly MiniCpmVVisionConfig config;
    private readonly LayerNorm norm1;
    private readonly LayerNorm norm2;
    private readonly Linear[] qkv;
    private readonly Linear proj;
    private readonly Linear up;
    private readonly Linear down;

    public MiniCpmVVisionBlock(Block block, MiniCpmVVisionConfig config)
    {
        (this.block, this.config) = (block, config);
        var timm = config.Kind == MiniCpmVVisionKind.Resized;
        long width = config.HiddenSize;
        var attention = block / (timm ? "attn" : "self_attn");
        norm1 = new LayerNorm(block / (timm ? "norm1" : "layer_norm1"), width, config.NormEpsilon);
        qkv = timm
            ? [new Linear(attention / "qkv", width, 3 * width)]
            : [new Linear(attention / "q_proj", width, width), new Linear(attention / "k_proj", width, width), new Linear(attention / "v_proj", width, width)];
        proj = new Linear(attention / (timm ? "proj" : "out_proj"), width, width);
        norm2 = new LayerNorm(block / (timm ? "norm2" : "layer_norm2"), width, config.NormEpsilon);
        up = new Linear(block / "mlp" / "fc1", width, config.IntermediateSize);
        down = new Linear(block / "mlp" / "fc2", config.IntermediateSize, width);
    }

    public Tensor Forward(Tensor x_PV, Segments images) => block.Run(x => Compute(x, images), x_PV);

    private Tensor Compute(Tensor x_PV, Segments images)
    {
        var size = config.HiddenSize / config.Heads;
        var parts = Linear.Together(norm1.Forward(x_PV), qkv);
        if (parts is [var all])
        {
            var qkv_P3HD = all.View(-1, 3, config.Heads, size);
            parts = [qkv_P3HD.Select(1, 0), qkv_P3HD.Select(1, 1), qkv_P3HD.Select(1, 2)];
        }
        else
        {
            parts = Array.ConvertAll(parts, x => x.View(-1, config.Heads, size));
        }

        x_PV = x_PV.Add(proj.Forward(Attention.Packed(parts[0], parts[1], parts[2], images, causal: false, Math.Pow(size, -0.5))));
        return x_PV.Add(down.Forward(up.Forward(norm2.Forward(x_PV)).Gelu(config.TanhGelu)));
    }
}
