using Fovea.Events;
using Fovea.Runs.Events;
using Microsoft.Extensions.Logging;

namespace Fovea.Running;

/// <summary>Logs a run's events with ids and named values that stay the same from version to version.</summary>
internal sealed partial class LoggerSink(ILogger logger) : IEventSink
{
    public void Write(RunEvent e)
    {
        switch (e)
        {
            case RunStarted run:
                Started(run.TotalSteps, run.StartStep, run.Samples, run.Model, run.Device, run.OutputDir);
                break;
            case StepLogged log:
                Logged(log.Step, log.TotalSteps, log.Loss, log.LearningRate, log.GradNorm, log.Epoch, log.TokensPerSecond);
                break;
            case Evaluated { Dataset: { } dataset } eval:
                MeasuredPart(eval.Step, eval.TotalSteps, dataset, eval.Loss, eval.Samples, eval.RuntimeSeconds);
                break;
            case Evaluated eval:
                Measured(eval.Step, eval.TotalSteps, eval.Loss, eval.Samples, eval.RuntimeSeconds);
                break;
            case CheckpointSaved saved:
                Saved(saved.Step, saved.Path);
                break;
            case SampleSkipped sample:
                Skipped(sample.Dataset, sample.Row, sample.Reason, sample.Action);
                break;
            case FilesFetched fetched when fetched.Bytes == fetched.TotalBytes:
                Fetched(fetched.Repository, fetched.Files, fetched.TotalBytes);
                break;
            case Notice notice:
                Noticed(notice.Text);
                break;
            case Warning warning:
                Warned(warning.Text);
                break;
            case RunInterrupted run:
                Interrupted(run.Step, run.Reason, run.CheckpointPath);
                break;
            case RunFailed run:
                Failed(run.Step, run.Message);
                break;
            case RunFinished run:
                Finished(run.Step, run.RuntimeSeconds, run.TrainLoss);
                break;
            case PredictionStarted start:
                Answering(start.Rows, start.Done, start.Model, start.Device);
                break;
            case PredictionInterrupted stopped:
                AnsweringStopped(stopped.Done, stopped.Rows);
                break;
            case PredictionFinished done:
                Answered(done.Samples, done.RuntimeSeconds);
                break;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Run started: {TotalSteps} steps from step {StartStep} on {Samples} samples, {Model} on {Device}, to {OutputDir}")]
    private partial void Started(int totalSteps, int startStep, int samples, string model, string device, string outputDir);

    [LoggerMessage(
        2, LogLevel.Information,
        "Step {Step} of {TotalSteps}: loss {Loss}, learning rate {LearningRate}, gradient norm {GradNorm}, epoch {Epoch}, {TokensPerSecond} tokens/s")]
    private partial void Logged(int step, int totalSteps, double? loss, double learningRate, double? gradNorm, double epoch, double? tokensPerSecond);

    [LoggerMessage(3, LogLevel.Information, "Evaluation after step {Step} of {TotalSteps}: loss {Loss} on {Samples} samples in {Seconds} s")]
    private partial void Measured(int step, int totalSteps, double? loss, int samples, double seconds);

    [LoggerMessage(
        15, LogLevel.Information, "Evaluation after step {Step} of {TotalSteps} on {Dataset}: loss {Loss} on {Samples} samples in {Seconds} s")]
    private partial void MeasuredPart(int step, int totalSteps, string dataset, double? loss, int samples, double seconds);

    [LoggerMessage(4, LogLevel.Information, "Step {Step}: saved {Path}")]
    private partial void Saved(int step, string path);

    [LoggerMessage(5, LogLevel.Warning, "Sample {Action}: {Dataset} row {Row}: {Reason}")]
    private partial void Skipped(string dataset, int row, string reason, string action);

    [LoggerMessage(6, LogLevel.Information, "{Text}")]
    private partial void Noticed(string text);

    [LoggerMessage(7, LogLevel.Warning, "{Text}")]
    private partial void Warned(string text);

    [LoggerMessage(8, LogLevel.Warning, "Run stopped after step {Step}: {Reason}; checkpoint {Checkpoint}")]
    private partial void Interrupted(int step, string reason, string? checkpoint);

    [LoggerMessage(9, LogLevel.Error, "Run failed after step {Step}: {Reason}")]
    private partial void Failed(int step, string reason);

    [LoggerMessage(10, LogLevel.Information, "Run finished: {Step} steps in {Seconds} s, mean loss {Loss}")]
    private partial void Finished(int step, double seconds, double? loss);

    [LoggerMessage(11, LogLevel.Information, "Answering {Rows} held-out samples, {Done} answered before: {Model} on {Device}")]
    private partial void Answering(int rows, int done, string model, string device);

    [LoggerMessage(12, LogLevel.Warning, "Answering stopped after {Done} of {Rows} samples")]
    private partial void AnsweringStopped(int done, int rows);

    [LoggerMessage(13, LogLevel.Information, "Answered {Samples} held-out samples in {Seconds} s")]
    private partial void Answered(int samples, double seconds);

    [LoggerMessage(14, LogLevel.Information, "Fetched {Repository}: {Files} files, {Bytes} bytes")]
    private partial void Fetched(string repository, int files, long bytes);
}
