using System.Text.Json.Serialization;

namespace Fovea;

/// <summary>One setting with one number of ranks: peak bytes per rank.</summary>
/// <param name="Ranks">Processes, one per GPU.</param>
/// <param name="Zero">The ZeRO stage, 0 to 3.</param>
/// <param name="Kind">What is kept in host memory.</param>
public sealed record MemoryPlanRow(int Ranks, int Zero, [property: JsonIgnore] OffloadKind Kind)
{
    /// <summary>What is kept in host memory, as a value of the key <c>offload</c>.</summary>
    public string Offload => Kind.ToString().ToLowerInvariant();

    /// <summary>Weights of the model and its adapters that a rank keeps, in bytes.</summary>
    public required long Weights { get; init; }

    /// <summary>Weights that are all-gathered at one time (ZeRO-3), in bytes.</summary>
    public required long Gathered { get; init; }

    /// <summary>Gradients, in bytes.</summary>
    public required long Gradients { get; init; }

    /// <summary>The optimizer's state, in bytes.</summary>
    public required long Optimizer { get; init; }

    /// <summary>What the forward pass keeps for the backward pass, in bytes.</summary>
    public required long Activations { get; init; }

    /// <summary>Gradients in flight, logits, and the process itself, in bytes.</summary>
    public required long Buffers { get; init; }

    /// <summary>Total on the device, in bytes.</summary>
    public required long Device { get; init; }

    /// <summary>Pinned host memory of this rank, in bytes.</summary>
    public required long Host { get; init; }

    /// <summary>The part of <see cref="Host"/> in which inputs of recomputed blocks wait (<c>activation_offload</c>), in bytes.</summary>
    public long OffloadedActivations { get; init; }

    /// <summary>Memory-mapped pages of the checkpoint's files, in bytes; evictable, and excluded from totals.</summary>
    public required long Mapped { get; init; }

    /// <summary>Whether it fits the memory that was given; null where none was.</summary>
    public bool? Fits { get; init; }
}
