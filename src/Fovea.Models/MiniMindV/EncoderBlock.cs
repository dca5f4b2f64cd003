using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>One layer of CLIP's or SigLIP's encoder: x += attention(norm(x)); x += mlp(norm(x)), everything biased, without causality.</summary>
internal sealed class EncoderBlock(Block block, MiniMindVVisionConfig config)
{
    private readonly LayerNorm norm1 = new(block / "layer_norm1", config.HiddenSize, config.NormEpsilon);
    private readonly Linear q = new(block / "self_attn" / "q_proj", config.HiddenSize, config.HiddenSize);
    private readonly Linear k = new(block / "self_attn" / "k_proj", config.HiddenSize, config.HiddenSize);
    private readonly Linear v = new(block / "self_attn" / "v_proj", config.HiddenSize, config.HiddenSize);
    private readonly Linear o = new(block / "self_attn" / "out_proj", config.HiddenSize, config.HiddenSize);
    private readonly LayerNorm norm2 = new(block / "layer_norm2", config.HiddenSize, config.NormEpsilon);
    private readonly Linear up = new(block / "mlp" / "fc1", config.HiddenSize, config.IntermediateSize);
    private readonly Linear down = new(block / "mlp" / "fc2", config.IntermediateSize, config.HiddenSize);

    public Tensor Forward(Tensor x_TV, Segments images) => block.Run(x => Compute(x, images), x_TV);

    private Tensor Compute(Tensor x_TV, Segments images)
    {
        var size = config.HiddenSize / config.Heads;
        var qkv = Array.ConvertAll(Linear.Together(norm1.Forward(x_TV), q, k, v), part => part.View(-1, config.Heads, size));
        x_TV = x_TV.Add(o.Forward(Attention.Packed(qkv[0], qkv[1], qkv[2], images, causal: false, Math.Pow(size, -0.5))));
        return x_TV.Add(down.Forward(Activate(up.Forward(norm2.Forward(x_TV)))));
    }

    private Tensor Activate(Tensor x) => config.Activation switch
    {
        "quick_gelu" => x.Mul(x.Mul(1.702).Sigmoid()),
        "gelu" => x.Gelu(),
        _ => x.Gelu(tanh: true),
    };
}
