using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Cli.Views;

/// <summary>A run as plain lines, one a log event: for files, pipes and CI.</summary>
internal sealed class PlainView(TextWriter output) : IEventSink
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly RunProgress progress = new();
    private DateTimeOffset said;

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
        PredictionStarted start => EventText.Header(start),
        RowAnswered row when IsWorthALine(row) => [EventText.Pace(row, progress)],
        PredictionInterrupted stopped => [EventText.Interrupted(stopped)],
        PredictionFinished done => EventText.Summary(done).Select(row => $"{row.Name,-10} {row.Value}"),
        _ => [],
    };

    /// <summary>A log is no place for a line a sample.</summary>
    private bool IsWorthALine(RowAnswered row)
    {
        if (row.Done < row.Rows && row.Time - said < Pause)
        {
            return false;
        }

        said = row.Time;
        return true;
    }
}
