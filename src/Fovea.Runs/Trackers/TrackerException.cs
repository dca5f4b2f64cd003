namespace Fovea.Runs.Trackers;

/// <summary>A tracker did not take what it was sent.</summary>
/// <param name="message">Says which and why, and what to do.</param>
/// <param name="passes">Whether asking again may help.</param>
internal sealed class TrackerException(string message, bool passes) : Exception(message)
{
    public bool Passes => passes;
}
