using Fovea.Events;

namespace Fovea.Cli.Views;

/// <summary>What a display knows of a run at any moment, gathered from its events.</summary>
internal sealed class RunProgress
{
    private DateTimeOffset started;
    private DateTimeOffset now;
    private int startStep;

    public int Step { get; private set; }

    public int TotalSteps { get; private set; }

    public double? Loss { get; private set; }

    public double? LearningRate { get; private set; }

    public double? TokensPerSecond { get; private set; }

    public long? MemoryBytes { get; private set; }

    public int Skipped { get; private set; }

    /// <summary>Samples answered a second; null where none are being answered.</summary>
    public double? RowsPerSecond { get; private set; }

    public TimeSpan Elapsed => now - started;

    /// <summary>Time left at the average pace so far; null before the first step.</summary>
    public TimeSpan? Remaining => Step > startStep ? Elapsed * ((double)(TotalSteps - Step) / (Step - startStep)) : null;

    public void Take(RunEvent e)
    {
        now = e.Time;
        switch (e)
        {
            case RunStarted start:
                (started, startStep, Step, TotalSteps) = (start.Time, start.StartStep, start.StartStep, start.TotalSteps);
                break;
            case StepDone step:
                (Step, TotalSteps, Loss) = (step.Step, step.TotalSteps, step.Loss);
                TokensPerSecond = step.TokensPerSecond ?? TokensPerSecond;
                MemoryBytes = step.MemoryBytes ?? MemoryBytes;
                break;
            case StepLogged log:
                (Step, TotalSteps, Loss, LearningRate) = (log.Step, log.TotalSteps, log.Loss, log.LearningRate);
                TokensPerSecond = log.TokensPerSecond ?? TokensPerSecond;
                MemoryBytes = log.MemoryBytes ?? MemoryBytes;
                break;
            case PredictionStarted start:
                (started, startStep, Step, TotalSteps) = (start.Time, start.Done, start.Done, start.Rows);
                (Loss, LearningRate, TokensPerSecond, MemoryBytes, RowsPerSecond) = (null, null, null, null, 0);
                break;
            case RowAnswered row:
                (Step, RowsPerSecond) = (row.Done, (row.Done - startStep) / Math.Max(1e-9, Elapsed.TotalSeconds));
                break;
            case SampleSkipped:
                Skipped++;
                break;
        }
    }
}
