using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen2Vl;

/// <summary>x += attention(norm(x)); x += mlp(norm(x)), with layer norms and a plain MLP, everything biased, without causality.</summary>
internal sealed class VisionBlock(Block block, Qwen2VlVisionConfig config)
{
    private readonly LayerNorm norm1 = new(block / "norm1", config.Width, Qwen2VlVisionConfig.NormEpsilon);
    private readonly Linear qkv = new(block / "attn" / "qkv", config.Width, 3L * config.Width);
    private readonly Linear proj = new(block / "attn" / "proj", config.Width, config.Width);
    private readonly LayerNorm norm2 = new(block / "norm2", config.Width, Qwen2VlVisionConfig.NormEpsilon);
    private readonly Linear up = new(block / "mlp" / "fc1", config.Width, config.IntermediateSize);
    private readonly Linear down = new(block / "mlp" / "fc2", config.IntermediateSize, config.Width);

    public Tensor Forward(Tensor x_PV, Rotary rotary, Segments frames) => block.Run(x => Compute(x, rotary, frames), x_PV);

    private Tensor Compute(Tensor x_PV, Rotary rotary, Segments frames)
    {
        var size = config.Width / config.Heads;
        var qkv_P3HD = qkv.Forward(norm1.Forward(x_PV)).View(-1, 3, config.Heads, size);
        var v_PHD = qkv_P3HD.Select(1, 2);
        var q_PHD = rotary.Apply(qkv_P3HD.Select(1, 0));
        var k_PHD = rotary.Apply(qkv_P3HD.Select(1, 1));
        x_PV = x_PV.Add(proj.Forward(Attention.Packed(q_PHD, k_PHD, v_PHD, frames, causal: false, Math.Pow(size, -0.5))));
        return x_PV.Add(down.Forward(QuickGelu(up.Forward(norm2.Forward(x_PV)))));
    }

    private static Tensor QuickGelu(Tensor x) => x.Mul(x.Mul(1.702).Sigmoid());
}
