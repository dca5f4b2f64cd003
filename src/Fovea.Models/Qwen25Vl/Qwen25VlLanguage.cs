using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>The language model of Qwen2.5-VL.</summary>
internal sealed class Qwen25VlLanguage(Weights root, Qwen25VlConfig config) : Qwen2Language(root, config);
