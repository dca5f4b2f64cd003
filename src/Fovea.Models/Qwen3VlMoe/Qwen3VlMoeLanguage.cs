using Fovea.Models.Grids;
using Fovea.Models.Qwen3Vl;
using Fovea.Nn;

namespace Fovea.Models.Qwen3VlMoe;

/// <summary>The language model of Qwen3-VL with experts: the Qwen3-MoE decoder with M-RoPE, whose axes take turns.</summary>
internal sealed class Qwen3VlMoeLanguage(Weights root, Qwen3VlConfig config)
    : GridLanguage(new Decoder(root / "model" / "language_model", root / "lm_head", config.Decoder), config.Decoder, config.Rope, config.AxisOfFrequency);
