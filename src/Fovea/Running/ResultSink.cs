using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Running;

/// <summary>Keeps what the events of a run say about its end.</summary>
internal sealed class ResultSink : IEventSink
{
    private string? checkpoint;
    private Evaluated? heldOut;
    private readonly Dictionary<string, Evaluated> parts = [];

    public void Write(RunEvent e)
    {
        switch (e)
        {
            case RunInterrupted interrupted:
                checkpoint = interrupted.CheckpointPath;
                break;
            case Evaluated { Final: true, Dataset: null } measured:
                heldOut = measured;
                break;
            case Evaluated { Final: true, Dataset: { } dataset } measured:
                parts[dataset] = measured;
                break;
        }
    }

    public FineTuneResult Of(string folder, Training.Session.RunOutcome outcome) =>
        new(folder, outcome.Step, outcome.Interrupted, outcome.TrainLoss)
        {
            Checkpoint = checkpoint,
            BestCheckpoint = outcome.BestCheckpoint,
            HeldOut = heldOut is null ? null : VisionModel.Of(heldOut),
            HeldOutByDataset = parts.ToDictionary(part => part.Key, part => VisionModel.Of(part.Value)),
            AnswerMetrics = heldOut?.AnswerMetrics ?? parts.SelectMany(part => part.Value.AnswerMetrics.Select(metric => (part.Key, metric)))
                .ToDictionary(each => $"{each.Key}_{each.metric.Key}", each => each.metric.Value),
        };
}
