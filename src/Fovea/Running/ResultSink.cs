using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Running;

/// <summary>Keeps what the events of a run say about its end.</summary>
internal sealed class ResultSink : IEventSink
{
    private string? checkpoint;
    private Evaluated? heldOut;

    public void Write(RunEvent e)
    {
        switch (e)
        {
            case RunInterrupted interrupted:
                checkpoint = interrupted.CheckpointPath;
                break;
            case Evaluated { Final: true } measured:
                heldOut = measured;
                break;
        }
    }

    public FineTuneResult Of(string folder, Training.Session.RunOutcome outcome) =>
        new(folder, outcome.Step, outcome.Interrupted, outcome.TrainLoss)
        {
            Checkpoint = checkpoint,
            BestCheckpoint = outcome.BestCheckpoint,
            HeldOut = heldOut is null ? null : VisionModel.Of(heldOut),
            AnswerMetrics = heldOut?.AnswerMetrics ?? new Dictionary<string, double>(),
        };
}
