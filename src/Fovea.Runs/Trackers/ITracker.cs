using Fovea.Events;

namespace Fovea.Runs.Trackers;

/// <summary>A service that keeps the numbers of runs, asked over a network from a thread of its own (<see cref="BackgroundSink"/>).</summary>
internal interface ITracker : IDisposable
{
    /// <summary>Its name in <c>report_to</c>.</summary>
    string Name { get; }

    /// <summary>Whether an event is of interest to it.</summary>
    bool Wants(RunEvent e);

    /// <summary>Sends what happened. May be called again with the same events after it failed.</summary>
    /// <exception cref="TrackerException">The service cannot be reached now, or takes nothing from us at all.</exception>
    Task Send(IReadOnlyList<RunEvent> events, CancellationToken cancel);

    /// <summary>Says that the run has ended.</summary>
    /// <param name="last">How; null where it broke off without a word.</param>
    /// <exception cref="TrackerException">As of <see cref="Send"/>.</exception>
    Task End(RunEvent? last, CancellationToken cancel);
}
