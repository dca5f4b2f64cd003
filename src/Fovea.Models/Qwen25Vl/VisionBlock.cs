using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>x += attention(norm(x)); x += mlp(norm(x)), without causality.</summary>
internal sealed class VisionBlock(Block block, Qwen25VlVisionConfig config)
{
    private readonly RmsNorm norm1 = new(block / "norm1", config.HiddenSize, 1e-6);
    private readonly Linear qkv = new(block / "attn" / "qkv", config.HiddenSize, 3L * config.HiddenSize);
    private readonly Linear proj = new(block / "attn" / "proj", config.HiddenSize, config.HiddenSize);
    private readonly RmsNorm norm2 = new(block / "norm2", config.HiddenSize, 1e-6);
    private readonly GatedMlp mlp = new(block / "mlp", config.HiddenSize, config.IntermediateSize, bias: true);

    public Tensor Forward(Tensor x_PV, Rotary rotary, Segments segments) => block.Run(x => Compute(x, rotary, segments), x_PV);

    private Tensor Compute(Tensor x_PV, Rotary rotary, Segments segments)
    {
        var size = config.HiddenSize / config.Heads;
        var qkv_P3HD = qkv.Forward(norm1.Forward(x_PV)).View(-1, 3, config.Heads, size);
        var v_PHD = qkv_P3HD.Select(1, 2);
        var q_PHD = rotary.Apply(qkv_P3HD.Select(1, 0));
        var k_PHD = rotary.Apply(qkv_P3HD.Select(1, 1));
        x_PV = x_PV.Add(proj.Forward(Attention.Packed(q_PHD, k_PHD, v_PHD, segments, causal: false, Math.Pow(size, -0.5))));
        return x_PV.Add(mlp.Forward(norm2.Forward(x_PV)));
    }
}
