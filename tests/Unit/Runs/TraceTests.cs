using Fovea.Cli.Bench;
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
}
