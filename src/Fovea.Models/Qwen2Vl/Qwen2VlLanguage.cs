using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen2Vl;

/// <summary>The language model of Qwen2-VL.</summary>
internal sealed class Qwen2VlLanguage(Weights root, Qwen2VlConfig config) : Qwen2Language(root, config);
