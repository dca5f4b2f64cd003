namespace Fovea.Launch;

/// <summary>Whether a group that failed is started again.</summary>
/// <param name="most">Restarts at most.</param>
internal sealed class RestartPolicy(int most)
{
    /// <summary>Failures in a row that bring nothing before it is given up.</summary>
    private const int Hopeless = 3;

    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private int fruitless;

    /// <summary>Restarts so far.</summary>
    public int Count { get; private set; }

    /// <param name="code">The group's exit code.</param>
    /// <param name="progressed">Whether it has saved something.</param>
    /// <returns>The pause before the next start, or why there is none.</returns>
    public (TimeSpan Pause, string? GiveUp) Next(int code, TimeSpan lasted, bool progressed)
    {
        fruitless = progressed || lasted >= Quick ? 0 : fruitless + 1;
        if (most == 0)
        {
            return (TimeSpan.Zero, "max_restarts is 0");
        }

        if (code == 2)
        {
            return (TimeSpan.Zero, "another start would find the same configuration and data");
        }

        if (Count >= most)
        {
            return (TimeSpan.Zero, $"it was started again {Count} time{(Count == 1 ? "" : "s")}, as often as max_restarts allows");
        }

        if (fruitless >= Hopeless)
        {
            return (TimeSpan.Zero, $"{fruitless} starts in a row failed within {Quick.TotalSeconds:0} seconds and saved nothing");
        }

        Count++;
        var pause = Math.Min(LongestPause.TotalSeconds, Math.Pow(2, Math.Max(0, fruitless - 1)));
        return (TimeSpan.FromSeconds(pause), null);
    }
}
