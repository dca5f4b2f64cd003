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
    public TrainerState State { get; private set; } = initial;

    public void Write(RunEvent e)
    {
        State = e switch
        {
            RunStarted start => State with { MaxSteps = start.TotalSteps },
            StepDone step => State with { GlobalStep = step.Step },
            StepLogged log => State with
            {
                GlobalStep = log.Step,
                Epoch = log.Epoch,
                NumInputTokensSeen = log.TotalTokens ?? State.NumInputTokensSeen,
            },
            RunFinished run => State with
            {
                GlobalStep = run.Step,
                Epoch = run.Epoch,
                TotalFlos = run.TotalFlos,
                NumInputTokensSeen = Math.Max(run.TotalTokens, State.NumInputTokensSeen),
            },
            _ => State,
        };

        if (LogEntries.For(e) is { } entry)
        {
            State = State with { LogHistory = [.. State.LogHistory, entry] };
        }

        if (e is RunFinished or RunInterrupted or Evaluated { Final: true })
        {
            State.Save(Path.Combine(outputDir, TrainerState.FileName));
        }
    }
}
