using Fovea.Data.Images;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Session;

namespace Fovea.Training.Features;

/// <summary>Opens the cache of vision features as a configuration says.</summary>
internal static class VisionCacheSetup
{
    /// <summary>Whether a run can keep any: no image's features depend on others, and the part that makes them is frozen.</summary>
    public static bool IsOfUse(TrainConfig config, ModelSetup model) => model.Model.ImagesStandAlone && config.Memory.CacheVisionFeatures != Toggle.Off
        && (!model.VisionLearns || (model.LearnsOverTower && !config.Parallel.Sharding.Shards));

    /// <param name="identity">What the features depend on, where weights are sharded and cannot be read later; null is found when it is needed.</param>
    /// <param name="warn">Receives what goes wrong with the part on disk.</param>
    public static VisionFeatureCache Open(
        TrainConfig config, ModelSetup model, IMediaProcessor images, string? identity, MemoryBudget budget, Action<string> warn)
    {
        if (config.Memory.EffectiveVisionCacheDir is not { } folder)
        {
            return new VisionFeatureCache(budget.VisionCache, device: model.Model.Device);
        }

        var bytes = config.Memory.VisionCacheDisk?.Bytes ?? Math.Min(20L << 30, ProcessMemory.FreeDisk(folder) / 10);
        var disk = new FeatureFolder(folder, bytes, warn);
        return new VisionFeatureCache(
            budget.VisionCache, () => identity ?? VisionIdentity.Of(model.Model, model.Family, images, model.LearnsOverTower), disk, model.Model.Device);
    }
}
