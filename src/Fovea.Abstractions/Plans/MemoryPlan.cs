using System.Text.Json.Serialization;

namespace Fovea;

/// <summary>An estimate of a run's memory for each setting of ZeRO and offload, and which setting to use.</summary>
public sealed record MemoryPlan
{
    /// <summary>The model folder.</summary>
    public required string Model { get; init; }

    /// <summary>The model's family as its config.json names it, for instance <c>qwen2_5_vl</c>.</summary>
    public required string Family { get; init; }

    /// <summary>Number of parameters, adapters included.</summary>
    public required long Parameters { get; init; }

    /// <summary>Number of trainable parameters.</summary>
    [JsonPropertyName("learning_parameters")]
    public required long TrainableParameters { get; init; }

    /// <summary>Element type of the computation: <c>fp32</c>, <c>bf16</c> or <c>fp16</c>.</summary>
    public required string Dtype { get; init; }

    /// <summary>Tokens of a micro-batch.</summary>
    public required int Tokens { get; init; }

    /// <summary>Patches of its images where the vision side is trained, else 0.</summary>
    public required int Patches { get; init; }

    /// <summary><c>cpu</c> or <c>cuda</c>.</summary>
    public required string Device { get; init; }

    /// <summary>Memory of one GPU that the run must fit, in bytes; null where none was given.</summary>
    [JsonPropertyName("card")]
    public long? DeviceBytes { get; init; }

    /// <summary>All settings that make sense.</summary>
    public required IReadOnlyList<MemoryPlanRow> Rows { get; init; }

    /// <summary>Numbers of ranks that were asked for and have no rows, each with the reason: a run on so many would be refused.</summary>
    public IReadOnlyDictionary<int, string> LeftOut { get; init; } = new Dictionary<int, string>();

    /// <summary>For each number of ranks the fastest setting that fits; ranks where none fits are missing.</summary>
    public required IReadOnlyList<MemoryPlanRow> Choices { get; init; }
}
