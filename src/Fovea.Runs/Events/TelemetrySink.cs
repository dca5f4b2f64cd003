using System.Diagnostics;
using System.Diagnostics.Metrics;
using Fovea.Events;

namespace Fovea.Runs.Events;

/// <summary>
/// Turns a run's events into measurements, and its steps into spans where somebody asks for these. The numbers are those of the log files; where nobody
/// listens, an event costs a look at a flag.
/// </summary>
/// <param name="run">The run's name.</param>
internal sealed class TelemetrySink(string run) : IEventSink
{
    private static readonly Histogram<double> StepTime = Telemetry.Meter.CreateHistogram(
        "fovea.train.step.duration", "s", "Wall time of a step, waiting for its data included; evaluation and saving are not.", tags: null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250] });

    private static readonly Counter<long> Tokens = Telemetry.Meter.CreateCounter<long>(
        "fovea.train.tokens", "{token}", "Tokens through the model, all ranks.");

    private static readonly Counter<long> Samples = Telemetry.Meter.CreateCounter<long>("fovea.train.samples", "{sample}", "Samples trained on, all ranks.");

    private static readonly Counter<long> Skipped = Telemetry.Meter.CreateCounter<long>(
        "fovea.train.samples.skipped", "{sample}", "Samples that could not be used.");

    private static readonly Gauge<double> Loss = Gauge("fovea.train.loss", "1", "Mean loss of the steps since the last log.");
    private static readonly Gauge<double> Rate = Gauge("fovea.train.learning_rate", "1", "Learning rate of the last step.");
    private static readonly Gauge<double> Norm = Gauge("fovea.train.gradient.norm", "1", "L2 norm of the last step's gradient before clipping.");
    private static readonly Gauge<double> Epoch = Gauge("fovea.train.epoch", "{epoch}", "Epochs done.");
    private static readonly Gauge<double> TokenRate = Gauge("fovea.train.tokens_per_second", "{token}/s", "Tokens per second of wall time since the last log.");
    private static readonly Gauge<double> SampleRate =
        Gauge("fovea.train.samples_per_second", "{sample}/s", "Samples per second of wall time since the last log.");

    private static readonly Gauge<long> Memory = Telemetry.Meter.CreateGauge<long>(
        "fovea.train.memory.usage", "By", "Memory in use: the device's, or anonymous resident memory on a CPU.");

    private static readonly Gauge<long> Reserved = Telemetry.Meter.CreateGauge<long>(
        "fovea.train.memory.reserved", "By", "Memory that the device's caching allocator holds.");

    private static readonly Histogram<double> EvaluationTime = Telemetry.Meter.CreateHistogram<double>(
        "fovea.evaluation.duration", "s", "Wall time of an evaluation.");

    private static readonly Gauge<double> EvaluationLoss = Gauge("fovea.evaluation.loss", "1", "Mean loss over the held-out samples.");
    private static readonly Gauge<double> EvaluationMetric = Gauge("fovea.evaluation.metric", "1", "Another metric of an evaluation, by name.");

    private KeyValuePair<string, object?>[] tags = [];

    public void Write(RunEvent e)
    {
        switch (e)
        {
            case RunStarted start:
                tags = [new("model", Path.GetFileName(Path.TrimEndingDirectorySeparator(start.Model))), new("run", run)];
                break;
            case StepDone step:
                Step(step);
                break;
            case StepLogged log:
                Record(Loss, log.Loss);
                Record(Rate, log.LearningRate);
                Record(Norm, log.GradNorm);
                Record(Epoch, log.Epoch);
                Record(TokenRate, log.TokensPerSecond);
                Record(SampleRate, log.SamplesPerSecond);
                Record(Memory, log.MemoryBytes);
                Record(Reserved, log.MemoryReservedBytes);
                break;
            case SampleSkipped when Skipped.Enabled:
                Skipped.Add(1, tags);
                break;
            case Evaluated { Dataset: { } part } eval:
                Evaluation(eval, [.. tags, new("dataset", part)]);
                break;
            case Evaluated eval:
                Evaluation(eval, tags);
                break;
        }
    }

    private static Gauge<double> Gauge(string name, string unit, string description) => Telemetry.Meter.CreateGauge<double>(name, unit, description);

    private static void Evaluation(Evaluated eval, KeyValuePair<string, object?>[] tags)
    {
        EvaluationTime.Record(eval.RuntimeSeconds, tags);
        if (eval.Loss is { } loss)
        {
            EvaluationLoss.Record(loss, tags);
        }

        foreach (var (name, value) in EvaluationMetric.Enabled ? eval.Metrics.Concat(eval.AnswerMetrics) : [])
        {
            EvaluationMetric.Record(value, [.. tags, new("metric", name)]);
        }
    }

    private void Step(StepDone step)
    {
        if (step.Seconds is { } seconds)
        {
            StepTime.Record(seconds, tags);
            Span(step, seconds);
        }

        if (step.Tokens is { } tokens && Tokens.Enabled)
        {
            Tokens.Add(tokens, tags);
        }

        if (step.Samples is { } samples && Samples.Enabled)
        {
            Samples.Add(samples, tags);
        }
    }

    private static void Span(StepDone step, double seconds)
    {
        if (!Telemetry.Steps.HasListeners())
        {
            return;
        }

        var parent = Activity.Current?.Context ?? default;
        using var span = Telemetry.Steps.StartActivity(
            "fovea.step", ActivityKind.Internal, parent, tags: null, links: null, startTime: step.Time - TimeSpan.FromSeconds(seconds));
        span?.SetTag("fovea.step", step.Step).SetTag("fovea.loss", step.Loss).SetTag("fovea.tokens", step.Tokens).SetTag("fovea.samples", step.Samples);
        span?.SetEndTime(step.Time.UtcDateTime);
    }

    private void Record<T>(Gauge<T> gauge, T? value)
        where T : struct
    {
        if (value is { } known && gauge.Enabled)
        {
            gauge.Record(known, tags);
        }
    }
}
