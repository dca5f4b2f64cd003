using Fovea.Runs.Charts;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>Everything that a run writes into its output folder besides weights.</summary>
internal static class RunFolder
{
    /// <summary>
    /// Adds the sinks of all files to a hub: trainer log, log history, running log, results, trainer state, and on wish settings, curves and TensorBoard.
    /// </summary>
    /// <param name="hub">Where the run's events go.</param>
    /// <param name="outputDir">The run's folder.</param>
    /// <param name="initial">Settings of a new run, or the state of the checkpoint that a resumed run goes on from.</param>
    /// <param name="plotLoss">Draw the loss curves.</param>
    /// <param name="tensorBoard">Write TensorBoard event files.</param>
    /// <param name="loggingDir">Their folder; null is a new one under <c>output_dir/runs</c>.</param>
    /// <param name="arguments">What the run was told, as a configuration; null writes none.</param>
    /// <returns>The recorder, whose state goes into checkpoints.</returns>
    public static TrainerStateRecorder Attach(
        EventHub hub, string outputDir, TrainerState initial, bool plotLoss = false, bool tensorBoard = false, string? loggingDir = null,
        string? arguments = null)
    {
        var recorder = new TrainerStateRecorder(outputDir, initial);
        hub.Add(new TrainerLogSink(outputDir));
        hub.Add(new LogHistorySink(outputDir));
        hub.Add(new RunningLogSink(outputDir));
        hub.Add(new ResultsSink(outputDir));
        hub.Add(recorder);
        if (arguments is not null)
        {
            hub.Add(new ArgumentsSink(outputDir, arguments));
        }

        if (plotLoss)
        {
            hub.Add(new LossCurveSink(outputDir, initial.LogHistory));
        }

        if (tensorBoard)
        {
            hub.Add(new TensorBoardSink(outputDir, loggingDir));
        }

        return recorder;
    }
}
