using System.Diagnostics.Metrics;

namespace Fovea.Serving;

/// <summary>
/// What a server counts, as instruments of a meter named <c>Fovea</c> whose scope is the server: several servers in one process are told apart by it, and
/// by the tag <c>model</c>.
/// </summary>
internal sealed class ServerMeter : IDisposable
{
    public const string Name = "Fovea";

    private static readonly InstrumentAdvice<double> Times = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100],
    };

    private readonly Meter meter;
    private readonly Counter<long> requests;
    private readonly Counter<long> tokens;
    private readonly Histogram<double> first;
    private readonly Histogram<double> whole;

    public ServerMeter(ModelServer server)
    {
        meter = new Meter(new MeterOptions(Name) { Scope = server });
        requests = meter.CreateCounter<long>("fovea.server.requests", "{request}", "Requests that have ended, by outcome.");
        tokens = meter.CreateCounter<long>("fovea.server.tokens", "{token}", "Tokens of prompts (cached ones are counted apart) and of answers.");
        first = meter.CreateHistogram("fovea.server.time_to_first_token", "s", "Time from a request to its first piece of text.", tags: null, Times);
        whole = meter.CreateHistogram("fovea.server.request.duration", "s", "Time from a request to the end of its last answer.", tags: null, Times);
        var model = new KeyValuePair<string, object?>("model", server.Name);
        Gauge("fovea.server.queued", "{answer}", "Answers that wait for their turn.", status => status.Queued);
        Gauge("fovea.server.running", "{answer}", "Answers that are being generated.", status => status.Running);
        Gauge("fovea.server.pages.in_use", "{page}", "Pages of keys and values that answers under way hold.", status => status.PagesInUse);
        Gauge("fovea.server.pages.kept", "{page}", "Pages that are kept for later prompts.", status => status.PagesKept);
        Gauge("fovea.server.pages.limit", "{page}", "Pages that there may be.", status => status.Pages);

        void Gauge(string name, string unit, string description, Func<ServerStatus, long> value) =>
            meter.CreateObservableGauge(name, () => new Measurement<long>(value(server.Status), model), unit, description);
    }

    public void First(string model, TimeSpan time) => first.Record(time.TotalSeconds, Tag("model", model));

    public void Ended(string model, string outcome, TimeSpan time, IEnumerable<ServedUsage> usages)
    {
        requests.Add(1, Tag("model", model), Tag("outcome", outcome));
        whole.Record(time.TotalSeconds, Tag("model", model), Tag("outcome", outcome));
        foreach (var usage in usages)
        {
            tokens.Add(usage.PromptTokens - usage.CachedTokens, Tag("model", model), Tag("kind", "prompt"));
            tokens.Add(usage.CachedTokens, Tag("model", model), Tag("kind", "cached"));
            tokens.Add(usage.CompletionTokens, Tag("model", model), Tag("kind", "completion"));
        }
    }

    public void Dispose() => meter.Dispose();

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
