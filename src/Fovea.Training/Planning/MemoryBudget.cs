using Fovea.Distributed;
using Fovea.Models;
using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>
/// What a run may take beside weights and optimizer, in bytes: activations on its device, cached vision features in the host's memory. On the CPU both come
/// from the same memory.
/// </summary>
/// <param name="HostActivations">Of the host's memory, for activations that do not stay on a GPU; 0 on the CPU.</param>
/// <param name="Notice">What the user should know about it; usually null.</param>
internal sealed record MemoryBudget(long Activations, long VisionCache, long HostActivations = 0, string? Notice = null)
{
    // The runtime, libtorch, and a step's data.
    private const long Process = 256L << 20;

    // On a GPU, beside the tenth that is left alone: workspaces of cuBLAS, attention's sums in fp32, holes between tensors.
    private const long Margin = 1L << 30;

    /// <param name="cachesVision">Whether vision features are kept at all.</param>
    /// <param name="ranksHere">Processes that share this host's memory.</param>
    /// <param name="worldSize">Processes that weights, gradients and optimizer are divided over.</param>
    public static MemoryBudget For(
        TrainConfig config, VisionLanguageModel model, IMemory memory, bool cachesVision, int ranksHere = 1, int worldSize = 1)
    {
        // What loading left free goes back; what this process holds is part of what it may hold.
        HostBlocks.Trim();
        var device = memory.Device;
        var onHost = device is null;

        // On the CPU nothing is elsewhere, whatever is offloaded.
        var sharding = onHost ? new ShardingOptions { Stage = config.Parallel.Sharding.Stage } : config.Parallel.Sharding;
        var resident = ShardPlan.For(ShardGroup.Of(model), sharding, worldSize, ShardTypes.Of(model, config, mapped: false, onHost)).Device;
        if (device is { } gpu)
        {
            var given = config.Memory.MemoryBudget?.Bytes;
            var ours = NineTenths(memory.HostFree / ranksHere);
            var features = Cache(ours);
            return new MemoryBudget(
                Math.Max(0, given - resident ?? RoomOn(gpu, resident)), features, (ours - features) / 2,
                gpu.IsKnown || given is not null ? null
                    : "how much memory the GPU has is not known, because the bridge was built without CUDA's headers: nothing is kept that can be "
                      + "computed again. Install the headers (pip install nvidia-cuda-runtime, or the CUDA toolkit), or set memory_budget");
        }

        var total = config.Memory.MemoryBudget?.Bytes ?? NineTenths((memory.HostFree / ranksHere) + memory.HostUsed);
        var rest = Math.Max(0, total - resident - Process);
        var cache = Cache(rest);
        return new MemoryBudget(rest - cache, cache, Notice: config.Memory.ActivationOffload != Toggle.On ? null
            : "activation_offload moves nothing: the model computes on the CPU, where activations are in the host's memory already");

        long Cache(long room) => cachesVision ? Math.Min(room, config.Memory.VisionCacheMemory?.Bytes ?? room / 4) : 0;
    }

    /// <summary>What every rank has for activations, where ranks split the tokens of a micro-batch.</summary>
    /// <remarks>What one of them computes again, its neighbours compute again: they exchange what attention needs of it.</remarks>
    /// <param name="min">Gives, under a name, the smallest over ranks.</param>
    public MemoryBudget Agreed(Func<string, double, double> min) => this with
    {
        Activations = (long)min("the memory for activations", Activations),
        HostActivations = (long)min("the host's memory for activations", HostActivations),
    };

    /// <summary>Free memory, that of the allocator included, less a margin and what of weights, gradients and optimizer is still to come.</summary>
    private static long RoomOn(DeviceMemory gpu, long resident) =>
        NineTenths(gpu.Free + gpu.Reserved - gpu.Allocated) - Margin - Math.Max(0, resident - gpu.Allocated);

    private static long NineTenths(long bytes) => bytes / 10 * 9;
}
