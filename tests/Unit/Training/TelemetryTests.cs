using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Fovea.Tests.Unit.Robustness;
using Microsoft.Extensions.Logging;

namespace Fovea.Tests.Unit.Training;

/// <summary>What a run shows to those who listen, and that it does not matter to the run whether anybody does.</summary>
public sealed class TelemetryTests : NativeTest
{
    private readonly TinyRun tiny = new();

    [Fact]
    public async Task Listeners_get_the_numbers_of_the_log_files_and_change_no_bit()
    {
        var name = $"heard{Guid.NewGuid():N}";
        var (spans, measured, log) = (new ConcurrentQueue<Activity>(), new Dictionary<string, List<double>>(), new KeptLog());
        using (Listen("Fovea", spans))
        using (Listen("Fovea.Steps", spans))
        using (Measure(name, measured))
        {
            await Train(name).LogTo(log).RunAsync();
        }

        await Train("alone").RunAsync();
        Assert.Equal(tiny.Adapter("alone"), tiny.Adapter(name));
        Assert.Equal(tiny.Losses("alone"), tiny.Losses(name));

        var lines = File.ReadLines(Path.Combine(tiny.Out(name), "trainer_log.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        double[] Logged(string key) => [.. lines.Where(line => line.TryGetProperty(key, out _)).Select(line => line.GetProperty(key).GetDouble())];
        Assert.Equal(Logged("loss"), measured["fovea.train.loss"]);
        Assert.Equal(Logged("lr"), measured["fovea.train.learning_rate"]);
        Assert.Equal(Logged("eval_loss"), measured["fovea.evaluation.loss"]);
        Assert.Equal(Logged("throughput"), measured["fovea.train.tokens_per_second"].Select(rate => Math.Round(rate, 2)));
        Assert.Equal(Logged("total_tokens")[^1], measured["fovea.train.tokens"].Sum());
        Assert.Equal((4, 8), (measured["fovea.train.step.duration"].Count, measured["fovea.train.samples"].Sum()));
        Assert.Equal(4, measured["fovea.train.gradient.norm"].Count);
        Assert.All(measured["fovea.train.step.duration"], seconds => Assert.InRange(seconds, 1e-6, 60));
        Assert.All(measured["fovea.train.memory.usage"], bytes => Assert.True(bytes > 1 << 20));

        var run = Assert.Single(spans, span => span.OperationName == "fovea.run" && (string?)span.GetTagItem("fovea.run.name") == name);
        var own = spans.Where(span => span.TraceId == run.TraceId).ToList();
        Assert.Equal(
            ["fovea.checkpoint", "fovea.data.load", "fovea.evaluation", "fovea.model.load", "fovea.result.save", "fovea.run", "fovea.step"],
            own.Select(span => span.OperationName).Distinct().Order(StringComparer.Ordinal));
        Assert.All(own.Where(span => span != run), span => Assert.Equal(run.SpanId, span.ParentSpanId));
        Assert.Equal([1, 2, 3, 4], own.Where(span => span.OperationName == "fovea.step").Select(span => (int)span.GetTagItem("fovea.step")!));
        var steps = own.Where(span => span.OperationName == "fovea.step").Select(span => span.Duration.TotalSeconds);
        Assert.Equal(measured["fovea.train.step.duration"], steps, Near);
        Assert.Equal((ActivityStatusCode.Unset, false), (run.Status, run.GetTagItem("fovea.run.interrupted")));

        Assert.Equal([1, 2, 3, 4, 10], log.Entries.Select(entry => entry.Id).Where(id => id is not (6 or 7)).Distinct().Order());
        Assert.Equal(tiny.Losses(name), log.Entries.Where(entry => entry.Id == 2).Select(entry => (double)entry.Values["Loss"]!));
    }

    [Fact]
    public async Task A_run_that_cannot_begin_is_a_failed_span()
    {
        var spans = new ConcurrentQueue<Activity>();
        using (Listen("Fovea", spans))
        {
            await Assert.ThrowsAnyAsync<FoveaException>(() => Train("refused").With(o => o["max_samples"] = "24").On("nowhere.json").RunAsync());
        }

        var run = spans.Last(span => span.OperationName == "fovea.run" && (string?)span.GetTagItem("fovea.run.name") == "refused");
        Assert.Equal((ActivityStatusCode.Error, "Fovea.ConfigException"), (run.Status, run.GetTagItem("error.type")));
    }

    protected override void Cleanup() => tiny.Dispose();

    private static bool Near(double a, double b) => Math.Abs(a - b) < 1e-4;

    private static ActivityListener Listen(string source, ConcurrentQueue<Activity> spans)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = any => any.Name == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    /// <summary>What is measured of one run; other tests of this process run others.</summary>
    private static MeterListener Measure(string run, Dictionary<string, List<double>> measured)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, own) =>
            {
                if (instrument.Meter is { Name: "Fovea", Scope: null })
                {
                    own.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Take(instrument, value, tags));
        listener.Start();
        return listener;

        void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (var tag in tags)
            {
                if (tag.Key == "run" && (string?)tag.Value == run)
                {
                    (measured.TryGetValue(instrument.Name, out var all) ? all : measured[instrument.Name] = []).Add(value);
                }
            }
        }
    }

    private FineTune Train(string name) => FineTune.FromFile(tiny.Config).To(tiny.Out(name)).With(o =>
    {
        o["max_steps"] = "4";
        o["val_size"] = "4";
        o["eval_strategy"] = "steps";
        o["eval_steps"] = "2";
        o["do_eval"] = "true";
    });

    private sealed class KeptLog : ILogger
    {
        public List<(int Id, Dictionary<string, object?> Values)> Entries { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Assert.NotEmpty(formatter(state, exception));
            Entries.Add((eventId.Id, ((IReadOnlyList<KeyValuePair<string, object?>>)state!).ToDictionary()));
        }
    }
}
