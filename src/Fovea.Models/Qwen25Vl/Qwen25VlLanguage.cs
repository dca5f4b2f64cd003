using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>The language model of Qwen2.5-VL: the Qwen2 decoder with M-RoPE, a section of neighbouring frequencies for each axis.</summary>
internal sealed class Qwen25VlLanguage(Weights root, Qwen25VlConfig config)
    : GridLanguage(new Decoder(root, config.Decoder), config.Decoder, config.Rope, MultimodalRotary.InSections(config.MropeSection));
