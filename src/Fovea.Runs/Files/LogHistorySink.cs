using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>
/// Writes <c>log_history.jsonl</c>: the entries of <c>log_history</c> in <c>trainer_state.json</c>, each as soon as it is logged. They have what
/// LLaMA-Factory's <c>trainer_log.jsonl</c> has no place for, the gradient norm.
/// </summary>
internal sealed class LogHistorySink(string outputDir) : IEventSink, IDisposable
{
    public const string FileName = "log_history.jsonl";

    private readonly StepLines lines = new(Path.Combine(outputDir, FileName), "step");
    private int startStep;

    public void Write(RunEvent e)
    {
        startStep = e is RunStarted start ? start.StartStep : startStep;
        if (LogEntries.ShowTraining(e))
        {
            lines.Open(startStep);
        }

        if (LogEntries.For(e) is { } entry)
        {
            lines.Append(entry);
        }
    }

    public void Dispose() => lines.Dispose();
}
