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

    // Gradient and two moments of AdamW, in fp32.
    private const long BytesPerLearningElement = 12;

    /// <param name="cachesVision">Whether vision features are kept at all.</param>
    /// <param name="ranksHere">Processes that share this host's memory.</param>
    public static MemoryBudget For(TrainConfig config, VisionLanguageModel model, bool cachesVision, int ranksHere = 1)
    {
        // What this process holds already is part of what it may hold.
        var total = config.MemoryBudget?.Bytes ?? ((ProcessMemory.Available / ranksHere) + ProcessMemory.Anonymous) / 10 * 9;
        var weights = model.Ledger.Parameters.Concat(model.Ledger.AdapterParameters).Sum(p => p.Count * p.Value.DType.Size());
        var resident = weights + (BytesPerLearningElement * model.Ledger.Trainable.Sum(p => p.Count)) + Process;
        var rest = Math.Max(0, total - resident);
        var cache = cachesVision ? Math.Min(rest, config.VisionCacheMemory?.Bytes ?? rest / 4) : 0;
        return new MemoryBudget(total, resident, cache, rest - cache);
    }
}
