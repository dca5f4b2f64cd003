namespace Fovea.Bench;

/// <summary>A minute under load; the last may be shorter. Pairs of seconds are the median and the 99th percentile of the answers that ended in it.</summary>
internal sealed record ServeMinute
{
    public required double Minute { get; init; }

    /// <summary>RssAnon of the server at its end.</summary>
    public required double AnonMib { get; init; }

    public required int Answers { get; init; }

    /// <summary>Errors so far.</summary>
    public required int Errors { get; init; }

    public required double[] FirstTokenSeconds { get; init; }

    public required double[] WholeSeconds { get; init; }
}
