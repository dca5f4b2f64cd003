using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Slices;

/// <summary>SigLIP's attention: within segments, everyone sees everyone.</summary>
/// <remarks>Suffixes: P patches, V tower width, H heads, D head size.</remarks>
internal sealed class SiglipAttention
{
    private readonly SiglipShape shape;
    private readonly Linear[] qkv;
    private readonly Linear proj;

    public SiglipAttention(Weights w, SiglipShape shape)
    {
        this.shape = shape;
        long width = shape.Width;
        qkv = shape.Timm
            ? [new Linear(w / "qkv", width, 3 * width)]
            : [new Linear(w / "q_proj", width, width), new Linear(w / "k_proj", width, width), new Linear(w / "v_proj", width, width)];
        proj = new Linear(w / (shape.Timm ? "proj" : "out_proj"), width, width);
    }

    /// <param name="x_PV">Behind the norm.</param>
    /// <param name="segments">Who sees whom.</param>
    public Tensor Forward(Tensor x_PV, Segments segments)
    {
        var size = shape.Width / shape.Heads;
        var parts = Linear.Together(x_PV, qkv);
        if (parts is [var all])
        {
            var qkv_P3HD = all.View(-1, 3, shape.Heads, size);
            parts = [qkv_P3HD.Select(1, 0), qkv_P3HD.Select(1, 1), qkv_P3HD.Select(1, 2)];
        }
        else
        {
            parts = Array.ConvertAll(parts, x => x.View(-1, shape.Heads, size));
        }

        return proj.Forward(Attention.Packed(parts[0], parts[1], parts[2], segments, causal: false, Math.Pow(size, -0.5)));
    }
}
