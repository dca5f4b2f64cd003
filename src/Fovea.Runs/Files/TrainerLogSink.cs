using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>Writes <c>trainer_log.jsonl</c> in LLaMA-Factory's shape, a line a log event, as soon as it happens.</summary>
internal sealed class TrainerLogSink(string outputDir) : IEventSink, IDisposable
{
    public const string FileName = "trainer_log.jsonl";

    private readonly StepLines lines = new(Path.Combine(outputDir, FileName), "current_steps");
    private DateTimeOffset started;
    private int startStep;

    public void Write(RunEvent e)
    {
        if (LogEntries.ShowTraining(e))
        {
            lines.Open(startStep);
        }

        switch (e)
        {
            case RunStarted start:
                (started, startStep) = (start.Time, start.StartStep);
                break;
            case StepLogged log:
                var line = Line(log, log.Step, log.TotalSteps, log.Epoch, loss: log.Loss, learningRate: log.LearningRate);
                AddThroughput(line, log);
                lines.Append(line);
                break;
            case Evaluated eval:
                lines.Append(Line(eval, eval.Step, eval.TotalSteps, eval.Epoch, evaluated: eval));
                break;
            case RunFinished run:
                lines.Append(Line(run, run.Step, run.Step, run.Epoch));
                break;
        }
    }

    public void Dispose() => lines.Dispose();

    /// <summary>Python's <c>str(timedelta)</c> of whole seconds: <c>0:01:05</c>, <c>1 day, 2:03:04</c>.</summary>
    internal static string Clock(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Floor(Math.Max(0, seconds)));
        var days = span.Days switch { 0 => string.Empty, 1 => "1 day, ", _ => $"{span.Days} days, " };
        return $"{days}{span.Hours}:{span.Minutes:00}:{span.Seconds:00}";
    }

    private static void AddThroughput(Dictionary<string, object?> line, StepLogged log)
    {
        if (log.TokensPerSecond is { } rate)
        {
            line["throughput"] = Math.Round(rate, 2);
        }

        if (log.TotalTokens is { } tokens)
        {
            line["total_tokens"] = tokens;
        }

        if (log is { MemoryReservedBytes: { } reserved, MemoryBytes: { } allocated })
        {
            const double gib = 1L << 30;
            line["vram_allocated"] = Math.Round(allocated / gib, 2);
            line["vram_reserved"] = Math.Round(reserved / gib, 2);
        }
    }

    private Dictionary<string, object?> Line(
        RunEvent e, int step, int total, double epoch, double? loss = null, double? learningRate = null, Evaluated? evaluated = null)
    {
        var elapsed = (e.Time - started).TotalSeconds;
        var done = step - startStep;
        var line = new Dictionary<string, object?> { ["current_steps"] = step, ["total_steps"] = total };
        var prefix = evaluated is null ? string.Empty : LogEntries.Prefix(evaluated);
        foreach (var (key, value) in new[] { ("loss", loss), ($"{prefix}loss", evaluated?.Loss), ("lr", learningRate) })
        {
            if (value is not null)
            {
                line[key] = value;
            }
        }

        foreach (var (name, value) in evaluated?.AnswerMetrics ?? new Dictionary<string, double>())
        {
            line[$"{prefix}{name}"] = value;
        }

        line["epoch"] = epoch;
        line["percentage"] = total == 0 ? 100 : Math.Round((double)step / total * 100, 2);
        line["elapsed_time"] = Clock(elapsed);
        line["remaining_time"] = Clock(done > 0 ? (total - step) * elapsed / done : 0);
        return line;
    }
}
