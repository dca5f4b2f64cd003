using System.Text.Json.Serialization;

namespace Fovea;

/// <summary>One setting on one number of ranks: bytes of a rank at its peak.</summary>
/// <param name="Ranks">Processes, one per GPU.</param>
/// <param name="Zero">The ZeRO stage, 0 to 3.</param>
/// <param name="Kind">What lies in the host's memory.</param>
public sealed record MemoryPlanRow(int Ranks, int Zero, [property: JsonIgnore] OffloadKind Kind)
{
    /// <summary>What lies in the host's memory, as the key <c>offload</c> has it.</summary>
    public string Offload => Kind.ToString().ToLowerInvariant();

    /// <summary>Weights of the model and its adapters that a rank keeps, in bytes.</summary>
    public required long Weights { get; init; }

    /// <summary>Weights that are all-gathered for a while (ZeRO-3), in bytes.</summary>
    public required long Gathered { get; init; }

    /// <summary>Gradients, in bytes.</summary>
    public required long Gradients { get; init; }

    /// <summary>The optimizer's state, in bytes.</summary>
    public required long Optimizer { get; init; }

    /// <summary>What the forward pass keeps for the backward pass, in bytes.</summary>
    public required long Activations { get; init; }

    /// <summary>Gradients on their way, logits, and what a process takes by itself, in bytes.</summary>
    public required long Buffers { get; init; }

    /// <summary>All of the device, in bytes.</summary>
    public required long Device { get; init; }

    /// <summary>Pinned memory of the host for this rank, in bytes.</summary>
    public required long Host { get; init; }

    /// <summary>Pages of the checkpoint's files, in bytes; in no sum, since the system may drop them.</summary>
    public required long Mapped { get; init; }

    /// <summary>Whether it fits the memory that was given; null where none was.</summary>
    public bool? Fits { get; init; }
}
