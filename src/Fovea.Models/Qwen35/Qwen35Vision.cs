using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen35;

/// <summary>The vision tower of Qwen3.5: that of Qwen3-VL without features for layers.</summary>
internal sealed class Qwen35Vision(Weights w, LearnedTowerConfig config) : LearnedTower(w, config);
