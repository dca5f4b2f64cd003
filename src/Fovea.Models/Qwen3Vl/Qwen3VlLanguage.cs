using Fovea.Models.Grids;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen3Vl;

/// <summary>The Qwen3 decoder with interleaved M-RoPE: token and image embeddings to final hidden states.</summary>
internal sealed class Qwen3VlLanguage(Weights root, Qwen3VlConfig config)
{
    private readonly Decoder decoder = new(root / "model" / "language_model", root / "lm_head", config.Decoder);
    private readonly int[] axis = config.AxisOfFrequency;

    /// <summary>The output head [V, E].</summary>
    public Parameter Head => decoder.Head;

    /// <param name="features">Of the input's images; null without images.</param>
    /// <param name="watch">Sees the input and the output of every block, with what images add behind it; for tests.</param>
    /// <returns>[T, E], or [L, E] where rows are wanted, after the final norm.</returns>
    public Tensor Forward(ModelInput input, VisualFeatures? features, Action<string, Tensor>? watch = null) => decoder.Forward(
        input.Ids, MultimodalRotary.For(input.Positions, config.Rope, axis, input.Ids.Device), input.Attention, features?.At(input), input.Wanted, watch);
}
