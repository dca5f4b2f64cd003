namespace Fovea.Board.Runs;

/// <summary>A run in the list.</summary>
internal sealed record RunSummary
{
    /// <summary>Its folder, from the board's on; a dot where it is the board's.</summary>
    public required string Id { get; init; }

    /// <summary>The same as a path; not for the page.</summary>
    internal string Folder { get; init; } = string.Empty;

    public required RunState State { get; init; }

    /// <summary>Why it failed or where it stopped, as its log says.</summary>
    public string? Reason { get; init; }

    /// <summary>Name or folder of the model, and what it ran on.</summary>
    public string? Model { get; init; }

    public int? Step { get; init; }

    public int? Steps { get; init; }

    public double? Epoch { get; init; }

    public double? Loss { get; init; }

    public double? EvalLoss { get; init; }

    public string? Elapsed { get; init; }

    public string? Remaining { get; init; }

    /// <summary>Local time in its log.</summary>
    public string? Started { get; init; }

    /// <summary>When one of its files changed last.</summary>
    public required DateTime Changed { get; init; }

    public string File(string name) => Path.Combine(Folder, name);
}
