using Fovea.Distributed;

namespace Fovea.Bench;

/// <summary>How much of the time in which collectives were under way a process computed, read off its trace.</summary>
/// <param name="Seconds">In which at least one collective was under way, waiting for other ranks included.</param>
/// <param name="HiddenSeconds">Of these, in which no thread of this process stood still for one.</param>
internal sealed record Overlap(double Seconds, double HiddenSeconds)
{
    /// <summary>From 0, everything was waited for, to 1, nothing.</summary>
    public double Share => Seconds > 0 ? HiddenSeconds / Seconds : 0;

    public static Overlap Of(IEnumerable<TraceSpan> trace)
    {
        var spans = trace.ToList();
        var under = Union(spans.Where(span => span.IsCollective));
        var waits = Union(spans.Where(span => span.Name == Mesh.WaitForRanks));
        var seconds = under.Sum(part => part.End - part.Start);
        var waited = under.Sum(part => waits.Sum(wait => Math.Max(0, Math.Min(part.End, wait.End) - Math.Max(part.Start, wait.Start))));
        return new Overlap(seconds, seconds - waited);
    }

    /// <summary>The time that any of the spans covers, in stretches that do not touch.</summary>
    private static List<(double Start, double End)> Union(IEnumerable<TraceSpan> spans)
    {
        List<(double Start, double End)> parts = [];
        foreach (var span in spans.OrderBy(span => span.Start))
        {
            var end = span.Start + span.Seconds;
            if (parts.Count > 0 && span.Start <= parts[^1].End)
            {
                parts[^1] = (parts[^1].Start, Math.Max(parts[^1].End, end));
            }
            else
            {
                parts.Add((span.Start, end));
            }
        }

        return parts;
    }
}
