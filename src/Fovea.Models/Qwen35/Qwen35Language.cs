using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen35;

/// <summary>The language model of Qwen3.5: Gated DeltaNet and gated attention in turns, with M-RoPE on the first part of each head.</summary>
internal sealed class Qwen35Language(Weights root, Qwen35Config config)
    : GridLanguage(new Decoder(root / "model" / "language_model", root / "lm_head", config.Decoder), config.Decoder, config.Rope, config.AxisOfFrequency);
