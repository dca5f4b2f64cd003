using System.Text.Json.Serialization;
using Fovea.Training.Config;

namespace Fovea.Training.Planning;

/// <summary>One setting on one number of ranks: bytes of a rank at its peak.</summary>
internal sealed record PlanRow(int Ranks, int Zero, [property: JsonIgnore] OffloadKind Kind)
{
    /// <summary>As the key has it.</summary>
    public string Offload => PlanKeys.Name(Kind);

    public required long Weights { get; init; }

    public required long Gathered { get; init; }

    public required long Gradients { get; init; }

    public required long Optimizer { get; init; }

    public required long Activations { get; init; }

    /// <summary>Gradients on their way, logits, the process.</summary>
    public required long Buffers { get; init; }

    /// <summary>All of the device.</summary>
    public required long Device { get; init; }

    /// <summary>Pinned memory of the host, for this rank alone.</summary>
    public required long Host { get; init; }

    /// <summary>Pages of the checkpoint's files, in no sum.</summary>
    public required long Mapped { get; init; }

    /// <summary>Null where no card was given.</summary>
    public bool? Fits { get; init; }
}
