using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>
/// Keeps <see cref="TrainerState"/> up to date from the events and writes <c>trainer_state.json</c> into the output folder when the run ends.
/// Checkpoints save <see cref="State"/> themselves.
/// </summary>
/// <param name="outputDir">The run's folder.</param>
/// <param name="initial">The settings of a new run, or the state that a resumed run goes on from.</param>
public sealed class TrainerStateRecorder(string outputDir, TrainerState initial) : IEventSink
{
    private readonly List<IReadOnlyDictionary<string, object?>> _history = [.. initial.LogHistory];
    private TrainerState _counters = initial;

    /// <summary>The state at this moment, with a copy of the history.</summary>
    public TrainerState State => _counters with { LogHistory = [.. _history] };

    public void Write(RunEvent e)
    {
        _counters = e switch
        {
            RunStarted start => _counters with { MaxSteps = start.TotalSteps },
            StepDone step => _counters with { GlobalStep = step.Step },
            StepLogged log => _counters with
            {
                GlobalStep = log.Step,
                Epoch = log.Epoch,
                NumInputTokensSeen = log.TotalTokens ?? _counters.NumInputTokensSeen,
            },
            RunFinished run => _counters with
            {
                GlobalStep = run.Step,
                Epoch = run.Epoch,
                TotalFlos = run.TotalFlos,
                NumInputTokensSeen = Math.Max(run.TotalTokens, _counters.NumInputTokensSeen),
            },
            _ => _counters,
        };

        if (LogEntries.For(e) is { } entry)
        {
            _history.Add(entry);
        }

        if (e is RunFinished or RunInterrupted or Evaluated { Final: true })
        {
            State.Save(Path.Combine(outputDir, TrainerState.FileName));
        }
    }
}
