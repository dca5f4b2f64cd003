namespace Fovea.Launch;

/// <summary>What the ranks are to do.</summary>
internal sealed record LaunchJob
{
    /// <summary>The program's arguments.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The same for another start after a failure, with how it goes on in words.</summary>
    public Func<(IReadOnlyList<string> Arguments, string How)>? Again { get; init; }

    /// <summary>Names what was saved last; a start that has not changed it has brought nothing.</summary>
    public Func<string?> Progress { get; init; } = () => null;

    /// <summary>Where logs go once the run has written there.</summary>
    public string? OutputDir { get; init; }

    /// <summary>How often the group is started again.</summary>
    public int MaxRestarts { get; init; }

    /// <summary>Time between the request to stop and the end.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>OpenMP threads of each rank; null leaves the environment's.</summary>
    public int? Threads { get; init; }
}
