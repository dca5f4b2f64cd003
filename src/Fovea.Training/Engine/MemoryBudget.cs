using Fovea.Distributed;
using Fovea.Models;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Engine;

/// <summary>
/// How the memory of a run is shared out, in bytes: after weights and optimizer, a part for cached vision features, the rest for activations.
/// </summary>
public sealed record MemoryBudget(long Total, long Resident, long VisionCache, long Activations)
{
    // The runtime, libtorch, and a step's data.
    private const long Process = 256L << 20;

    /// <param name="cachesVision">Whether vision features are kept at all.</param>
    /// <param name="ranksHere">Processes that share this host's memory.</param>
    /// <param name="worldSize">Processes that weights, gradients and optimizer are divided over.</param>
    public static MemoryBudget For(TrainConfig config, VisionLanguageModel model, bool cachesVision, int ranksHere = 1, int worldSize = 1)
    {
        // What loading left free goes back; what this process holds is part of what it may hold.
        HostBlocks.Trim();
        var total = config.MemoryBudget?.Bytes ?? ((ProcessMemory.Available / ranksHere) + ProcessMemory.Anonymous) / 10 * 9;
        var onHost = model.Device.Type == DeviceType.Cpu;

        // On the CPU nothing is elsewhere, whatever is offloaded.
        var sharding = onHost ? new ShardingOptions { Stage = config.Sharding.Stage } : config.Sharding;
        var resident = ShardPlan.For(ShardGroup.Of(model), sharding, worldSize, ShardTypes.Of(model, config, mapped: false, onHost)).Device + Process;
        var rest = Math.Max(0, total - resident);
        var cache = cachesVision ? Math.Min(rest, config.VisionCacheMemory?.Bytes ?? rest / 4) : 0;
        return new MemoryBudget(total, resident, cache, rest - cache);
    }
}
