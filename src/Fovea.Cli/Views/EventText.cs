using System.Globalization;
using Fovea.Events;
using Fovea.Runs.Files;

namespace Fovea.Cli.Views;

/// <summary>Events as lines of text, the same for a terminal and for a log file.</summary>
internal static class EventText
{
    private const int SkippedShown = 20;

    public static IEnumerable<string> Header(RunStarted start)
    {
        var share = start.AllParameters > 0 ? 100.0 * start.TrainableParameters / start.AllParameters : 0;
        var family = start.Family.Length > 0 ? $" ({start.Family})" : string.Empty;
        yield return $"model    {start.Model}{family} on {start.Device}{(start.Ranks > 1 ? $", {start.Ranks} ranks" : string.Empty)}";
        if (start.Kernels.Length > 0)
        {
            yield return $"kernels  {start.Kernels}";
        }

        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"trains   {Human.Count(start.TrainableParameters)} of {Human.Count(start.AllParameters)} parameters ({share:0.####} %)");
        var held = start.EvalSamples > 0 ? $", {Human.Count(start.EvalSamples)} held out for evaluation" : string.Empty;
        var epochs = start.Epochs > 0 ? string.Create(CultureInfo.InvariantCulture, $" ({start.Epochs:0.##} epochs)") : string.Empty;
        var each = start.SamplesPerStep > 0 ? $", {start.SamplesPerStep} a step" : string.Empty;
        yield return start.Samples > 0 ? $"data     {Human.Count(start.Samples)} samples{each}{held}" : $"data     a stream{each}{held}";
        yield return $"steps    {start.TotalSteps}{epochs}{(start.StartStep > 0 ? $", going on after {start.StartStep}" : string.Empty)}";
        yield return $"output   {start.OutputDir}";
    }

    /// <summary>The numbers of a log event as Transformers prints them.</summary>
    public static string Numbers(StepLogged log)
    {
        var loss = log.Loss is { } mean ? string.Create(CultureInfo.InvariantCulture, $"'loss': {mean:0.0000}, ") : string.Empty;
        var norm = log.GradNorm is { } last ? string.Create(CultureInfo.InvariantCulture, $"'grad_norm': {last:0.0000}, ") : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{{{loss}{norm}'learning_rate': {log.LearningRate:0.0000e-00}, 'epoch': {log.Epoch:0.00}}}");
    }

    /// <summary>Step, time so far and left, speed and memory, as tqdm prints them.</summary>
    public static string Pace(StepLogged log, RunProgress progress)
    {
        var left = progress.Remaining is { } time ? Human.Clock(time) : "?";
        var speed = log.TokensPerSecond is { } rate ? $", {Human.Count(rate)} tokens/s" : string.Empty;
        var memory = log.MemoryBytes is { } bytes ? $", {Human.Bytes(bytes)}" : string.Empty;
        return $"{log.Step}/{log.TotalSteps} [{Human.Clock(progress.Elapsed)}<{left}{speed}{memory}]";
    }

    public static string Evaluation(Evaluated eval)
    {
        var prefix = LogEntries.Prefix(eval);
        var more = string.Concat(eval.Metrics.Concat(eval.AnswerMetrics).Select(metric =>
            string.Create(CultureInfo.InvariantCulture, $", '{prefix}{metric.Key}': {metric.Value:0.0000}")));
        var loss = eval.Loss is { } mean ? string.Create(CultureInfo.InvariantCulture, $"'{prefix}loss': {mean:0.0000}{more}, ") : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{{{loss}'{prefix}runtime': {eval.RuntimeSeconds:0.00}, 'epoch': {eval.Epoch:0.00}}}");
    }

    public static IEnumerable<string> Header(PredictionStarted start) =>
    [
        $"answers  {start.Rows} held-out samples, by {start.Model} on {start.Device}{(start.Done > 0 ? $", going on after {start.Done}" : string.Empty)}",
    ];

    /// <summary>Samples answered so far, their pace and the time left.</summary>
    public static string Pace(RowAnswered row, RunProgress progress) =>
        $"answered {row.Done}/{row.Rows} [{Human.Clock(progress.Elapsed)}<{(progress.Remaining is { } left ? Human.Clock(left) : "?")}, "
        + $"{Human.Real(progress.RowsPerSecond ?? 0)} rows/s]";

    public static string Interrupted(PredictionInterrupted stopped) =>
        $"stopped: {stopped.Done} of {stopped.Rows} answers are kept; the same command goes on with the rest";

    /// <summary>The scores of the answers, and where everything is.</summary>
    public static IReadOnlyList<(string Name, string Value)> Summary(PredictionFinished done) =>
    [
        ("answers", string.Create(CultureInfo.InvariantCulture, $"{done.Samples} in {Human.Clock(TimeSpan.FromSeconds(done.RuntimeSeconds))}")),
        .. done.Metrics.Select(metric => (metric.Key, string.Create(CultureInfo.InvariantCulture, $"{metric.Value:0.00##}"))),
        .. done.Paths.Select(path => (path.Key, path.Value)),
    ];

    /// <summary>The first few by name; then they are only counted, while <c>running_log.txt</c> names them all.</summary>
    public static IEnumerable<string> Skipped(SampleSkipped sample, RunProgress progress) => progress.Skipped switch
    {
        <= SkippedShown => [$"sample {sample.Action}: {sample.Dataset} row {sample.Row}: {sample.Reason}"],
        SkippedShown + 1 => ["more samples could not be used; running_log.txt names them all"],
        _ => [],
    };

    public static IEnumerable<string> Interrupted(RunInterrupted run)
    {
        yield return $"stopped after step {run.Step} ({run.Reason})";
        yield return run.CheckpointPath is null ? "no checkpoint was written" : $"saved    {run.CheckpointPath}";
        yield return $"go on    {run.ResumeCommand}";
    }

    /// <summary>What the run came to, and where everything is.</summary>
    public static IReadOnlyList<(string Name, string Value)> Summary(RunFinished run, RunProgress progress)
    {
        var seconds = Math.Max(run.RuntimeSeconds, 1e-9);
        List<(string, string)> rows =
        [
            ("steps", string.Create(CultureInfo.InvariantCulture, $"{run.Step} ({run.Epoch:0.##} epochs)")),
        ];
        if (run.TrainLoss is { } loss)
        {
            rows.Add(("mean loss", Human.Real(loss)));
        }

        rows.Add(("time", Human.Clock(TimeSpan.FromSeconds(run.RuntimeSeconds))));
        if (run.SamplesTrained > 0)
        {
            rows.Add(("speed", Speed(run, seconds)));
        }

        if ((run.PeakMemoryBytes ?? progress.MemoryBytes) is { } bytes)
        {
            rows.Add(("memory", Human.Bytes(bytes)));
        }

        if (progress.Skipped > 0)
        {
            rows.Add(("left out", $"{progress.Skipped} {(progress.Skipped == 1 ? "sample" : "samples")}, named in running_log.txt"));
        }

        rows.AddRange(run.Paths.Select(path => (path.Key, path.Value)));
        return rows;
    }

    private static string Speed(RunFinished run, double seconds)
    {
        var samples = string.Create(CultureInfo.InvariantCulture, $"{run.SamplesTrained / seconds:0.##} samples/s");
        return run.TotalTokens > 0 ? $"{samples}, {Human.Count(run.TotalTokens / seconds)} tokens/s" : samples;
    }
}
