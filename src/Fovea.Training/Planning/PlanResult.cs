namespace Fovea.Training.Planning;

/// <summary>The table of <c>fovea plan</c>, and which of its rows to take.</summary>
internal sealed record PlanResult
{
    public required string Model { get; init; }

    public required string Family { get; init; }

    public required long Parameters { get; init; }

    public required long LearningParameters { get; init; }

    /// <summary>Of the computation.</summary>
    public required string Dtype { get; init; }

    /// <summary>Tokens of a micro-batch.</summary>
    public required int Tokens { get; init; }

    /// <summary>Patches of its images, where the vision side learns.</summary>
    public required int Patches { get; init; }

    /// <summary><c>cpu</c> or <c>cuda</c>.</summary>
    public required string Device { get; init; }

    public long? Card { get; init; }

    public required IReadOnlyList<PlanRow> Rows { get; init; }

    /// <summary>For each number of ranks the fastest setting that fits; those where none does are missing.</summary>
    public required IReadOnlyList<PlanRow> Choices { get; init; }
}
