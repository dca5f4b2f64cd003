using System.Diagnostics;
using Fovea.Bench;
using Fovea.Distributed;
using Fovea.Nn;

namespace Fovea.Tests.Unit.Runs;

/// <summary>The trace of a run says how long the training thread waited for data.</summary>
public sealed class TraceTests : IDisposable
{
    private readonly string path = Path.GetTempFileName();

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Spans_are_read_back_with_name_thread_and_length()
    {
        Profile.Start();
        using (Profile.Open(RunTrace.WaitForData))
        {
            Thread.Sleep(20);
        }

        using (Profile.Open("step"))
        {
            using var inner = Profile.Open("forward");
        }

        Profile.Stop(path);
        var mine = RunTrace.Read(path).Where(span => span.Thread == Environment.CurrentManagedThreadId).ToList();
        Assert.Equal([RunTrace.WaitForData, "forward", "step"], mine.Select(span => span.Name));
        Assert.InRange(mine[0].Seconds, 0.015, 60);
        Assert.True(mine[0].Start + mine[0].Seconds <= mine[2].Start + 1e-3);
        Assert.True(mine[1].Seconds <= mine[2].Seconds + 1e-6);
    }

    [Fact]
    public void Collectives_that_overlap_get_tracks_of_their_own()
    {
        var second = Stopwatch.Frequency;
        Profile.Start();
        foreach (var (name, start, end) in new[] { ("a", 1, 4), ("c", 4, 5), ("b", 2, 3), ("d", 3, 6) })
        {
            Profile.Add(name, start * second, end * second);
        }

        Profile.Stop(path);
        var tracks = RunTrace.Read(path).Where(span => span.IsCollective).ToDictionary(span => span.Name, span => span.Thread);
        Assert.Equal((tracks["a"], tracks["b"]), (tracks["c"], tracks["d"]));
        Assert.NotEqual(tracks["a"], tracks["b"]);
        Assert.Contains("\"collectives 2\"", File.ReadAllText(path));
    }

    [Fact]
    public void What_is_hidden_is_the_time_under_way_in_which_no_thread_waited()
    {
        TraceSpan Under(double start, double seconds) => new("gather: x", 1_000_000, start, seconds, IsCollective: true);
        TraceSpan Waits(double start, double seconds) => new(Mesh.WaitForRanks, 1, start, seconds);

        // Under way from 1 to 4 and from 6 to 8; waited for from 3 to 5 and from 6 to 7, where two waits lie within one another.
        var overlap = Overlap.Of([Under(1, 2), Under(2, 2), Under(6, 2), Waits(3, 2), Waits(6, 1), Waits(6.5, 0.25), new("forward", 1, 0, 9)]);
        Assert.Equal(5, overlap.Seconds, 1e-9);
        Assert.Equal(3, overlap.HiddenSeconds, 1e-9);
        Assert.Equal(0.6, overlap.Share, 1e-9);
        Assert.Equal(0, Overlap.Of([Waits(0, 1)]).Share);
    }
}
