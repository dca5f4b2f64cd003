using System.Globalization;
using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>
/// Writes <c>running_log.txt</c>: everything that is reported in words rather than numbers, with its time. Every sample left out is named here,
/// however many there are. The file grows from run to run.
/// </summary>
internal sealed class RunningLogSink(string outputDir) : IEventSink, IDisposable
{
    public const string FileName = "running_log.txt";

    private StreamWriter? file;

    public void Write(RunEvent e)
    {
        var (level, text) = e switch
        {
            RunStarted start => ("INFO", $"{start.TotalSteps} steps on {start.Samples} samples, from step {start.StartStep}: {start.Model} on {start.Device}"),
            CheckpointSaved saved => ("INFO", $"step {saved.Step}: saved {saved.Path}"),
            SampleSkipped sample => ("WARNING", $"{sample.Action}: {sample.Dataset} row {sample.Row}: {sample.Reason}"),
            Notice notice => ("INFO", notice.Text),
            Warning warning => ("WARNING", warning.Text),
            RunInterrupted run => ("WARNING", $"stopped after step {run.Step} ({run.Reason}); go on with: {run.ResumeCommand}"),
            RunFailed run => ("ERROR", $"failed after step {run.Step}: {run.Message}"),
            RunFinished run => ("INFO", string.Create(CultureInfo.InvariantCulture, $"{run.Step} steps done in {run.RuntimeSeconds:0.0} s")),
            PredictionStarted start => ("INFO", $"answering {start.Rows} held-out samples, {start.Done} answered before: {start.Model} on {start.Device}"),
            PredictionInterrupted stopped => ("WARNING", $"stopped after {stopped.Done} of {stopped.Rows} answers; the same command goes on"),
            PredictionFinished done => ("INFO", string.Create(CultureInfo.InvariantCulture, $"{done.Samples} answers in {done.RuntimeSeconds:0.0} s")),
            _ => (string.Empty, string.Empty),
        };
        if (level.Length > 0)
        {
            Directory.CreateDirectory(outputDir);
            file ??= new StreamWriter(new FileStream(Path.Combine(outputDir, FileName), FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
            {
                AutoFlush = true,
            };
            file.Write(string.Create(CultureInfo.InvariantCulture, $"[{level}|{e.Time.ToLocalTime():yyyy-MM-dd HH:mm:ss}] {text}\n"));
        }
    }

    public void Dispose() => file?.Dispose();
}
