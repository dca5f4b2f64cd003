using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>
/// Keeps <see cref="TrainerState"/> up to date from the events and writes <c>trainer_state.json</c> into the output folder: once the run has trained
/// something, so that the state of an earlier run there is not taken for its own, and when it ends. Checkpoints save <see cref="State"/> themselves.
/// </summary>
/// <param name="outputDir">The run's folder.</param>
/// <param name="initial">The settings of a new run, or the state that a resumed run goes on from.</param>
internal sealed class TrainerStateRecorder(string outputDir, TrainerState initial) : IEventSink
{
    private readonly List<IReadOnlyDictionary<string, object?>> history = [.. initial.LogHistory];
    private TrainerState counters = initial;
    private bool trained;

    /// <summary>Puts what else a run keeps there into the state; null where there is nothing.</summary>
    public Func<TrainerState, TrainerState>? Complete { get; set; }

    /// <summary>The state at this moment, with a copy of the history.</summary>
    public TrainerState State => (Complete?.Invoke(counters) ?? counters) with { LogHistory = [.. history] };

    public void Write(RunEvent e)
    {
        counters = e switch
        {
            RunStarted start => counters with { MaxSteps = start.TotalSteps },
            StepDone step => counters with { GlobalStep = step.Step },
            StepLogged log => counters with
            {
                GlobalStep = log.Step,
                Epoch = log.Epoch,
                NumInputTokensSeen = log.TotalTokens ?? counters.NumInputTokensSeen,
            },
            RunFinished run => counters with
            {
                GlobalStep = run.Step,
                Epoch = run.Epoch,
                TotalFlos = run.TotalFlos,
                NumInputTokensSeen = Math.Max(run.TotalTokens, counters.NumInputTokensSeen),
            },
            _ => counters,
        };

        if (LogEntries.For(e) is { } entry)
        {
            history.Add(entry);
        }

        var begins = !trained && LogEntries.ShowTraining(e);
        trained |= begins;
        if (begins || (trained && e is RunFinished or RunInterrupted or Evaluated { Final: true }))
        {
            State.Save(Path.Combine(outputDir, TrainerState.FileName));
        }
    }
}
