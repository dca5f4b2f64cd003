namespace Fovea.Board.Work;

/// <summary>A run that a board has started, and how its process is doing.</summary>
internal sealed record Job
{
    /// <summary>Its run, as the list names it.</summary>
    public required string Id { get; init; }

    /// <summary>Where the board keeps what it knows of it.</summary>
    internal string Folder { get; init; } = string.Empty;

    public required bool Alive { get; init; }

    /// <summary>It has been told to stop, and saves.</summary>
    public bool Stopping { get; init; }

    /// <summary>Its exit code; null while it runs, and where it was killed.</summary>
    public int? Code { get; init; }

    /// <summary>When it was started, or ended.</summary>
    public required DateTime Changed { get; init; }

    /// <summary>Why it ended, where it did not end well.</summary>
    public string? Problem { get; init; }
}
