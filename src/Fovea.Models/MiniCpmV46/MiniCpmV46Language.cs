using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.MiniCpmV46;

/// <summary>The language model of MiniCPM-V-4.6: Qwen3.5's.</summary>
internal sealed class MiniCpmV46Language(Weights root, MiniCpmV46Config config)
    : GridLanguage(new Decoder(root / "model" / "language_model", root / "lm_head", config.Decoder), config.Decoder, config.Rope, config.AxisOfFrequency);
