using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Cli.Views;

/// <summary>What a rank other than 0 has to say: only what rank 0 does not know.</summary>
internal sealed class RankView(int rank, TextWriter output) : IEventSink
{
    private readonly RunProgress progress = new();

    public void Write(RunEvent e)
    {
        progress.Take(e);
        foreach (var line in e is SampleSkipped sample ? EventText.Skipped(sample, progress) : [])
        {
            output.WriteLine($"rank {rank}: {line}");
        }
    }
}
