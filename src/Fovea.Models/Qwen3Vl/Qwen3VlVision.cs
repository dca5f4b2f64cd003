using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen3Vl;

/// <summary>The vision tower of Qwen3-VL, with features for the decoder's first layers.</summary>
internal sealed class Qwen3VlVision(Weights w, LearnedTowerConfig config) : LearnedTower(w, config);
