using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Cli.Views;

/// <summary>A run as plain lines, one a log event: for files, pipes and CI.</summary>
internal sealed class PlainView(TextWriter output) : IEventSink
{
    private readonly RunProgress progress = new();

    public void Write(RunEvent e)
    {
        progress.Take(e);
        foreach (var line in Lines(e))
        {
            output.WriteLine(line);
        }

        output.Flush();
    }

    private IEnumerable<string> Lines(RunEvent e) => e switch
    {
        RunStarted start => EventText.Header(start),
        StepLogged log => [$"{EventText.Numbers(log)} {EventText.Pace(log, progress)}"],
        Evaluated eval => [EventText.Evaluation(eval)],
        CheckpointSaved saved => [$"saved {saved.Path}"],
        SampleSkipped sample => EventText.Skipped(sample, progress),
        Notice notice => [$"note: {notice.Text}"],
        Warning warning => [$"warning: {warning.Text}"],
        RunInterrupted run => EventText.Interrupted(run),
        RunFailed run => [$"failed after step {run.Step}"],
        RunFinished run => EventText.Summary(run, progress).Select(row => $"{row.Name,-10} {row.Value}"),
        _ => [],
    };
}
