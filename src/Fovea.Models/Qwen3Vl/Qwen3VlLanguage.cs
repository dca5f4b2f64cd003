using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen3Vl;

/// <summary>The language model of Qwen3-VL: the Qwen3 decoder with M-RoPE, whose axes take turns.</summary>
internal sealed class Qwen3VlLanguage(Weights root, Qwen3VlConfig config)
    : GridLanguage(new Decoder(root / "model" / "language_model", root / "lm_head", config.Decoder), config.Decoder, config.Rope, config.AxisOfFrequency);
