using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Fovea.AspNetCore.Http;

/// <summary>
/// What the model's server and ASP.NET Core count, in Prometheus' text format (0.0.4). Counts of ASP.NET Core are those of this application.
/// </summary>
internal sealed class MetricsText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";
    private const string Hosting = "Microsoft.AspNetCore.Hosting";
    private static readonly string[] Kept = ["http.server.request.duration", "http.server.active_requests"];
    private static readonly double[] Seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];
    private static readonly HashSet<string> Tags = ["model", "outcome", "kind", "http.request.method", "http.response.status_code", "http.route"];

    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<string, Family> families = new(StringComparer.Ordinal);

    public MetricsText(LoadedServer loaded, IMeterFactory meters)
    {
        listener.InstrumentPublished = (instrument, own) =>
        {
            var scope = instrument.Meter.Scope;
            if ((instrument.Meter.Name == "Fovea" && scope is ModelServer)
                || (instrument.Meter.Name == Hosting && Kept.Contains(instrument.Name) && ReferenceEquals(scope, meters)))
            {
                own.EnableMeasurementEvents(instrument, scope as ModelServer);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, server) => Take(instrument, value, tags, server));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, server) => Take(instrument, value, tags, server));
        listener.Start();

        // Another application's server in this process is not ours; which is ours is known once it is loaded.
        void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? server)
        {
            if (server is null || ReferenceEquals(server, loaded.Server))
            {
                families.GetOrAdd(instrument.Name, _ => new Family(instrument)).Add(value, tags);
            }
        }
    }

    public override string ToString()
    {
        listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (var family in families.OrderBy(family => family.Key, StringComparer.Ordinal))
        {
            family.Value.Write(text);
        }

        text.Append("# HELP process_resident_memory_bytes Memory of the process.\n# TYPE process_resident_memory_bytes gauge\n")
            .Append(CultureInfo.InvariantCulture, $"process_resident_memory_bytes {Environment.WorkingSet}\n");
        return text.ToString();
    }

    public void Dispose() => listener.Dispose();

    /// <summary>One instrument with all values of its tags.</summary>
    private sealed class Family(Instrument instrument)
    {
        private readonly Lock gate = new();
        private readonly SortedDictionary<string, Series> series = new(StringComparer.Ordinal);
        private readonly bool isHistogram = instrument is Histogram<double> or Histogram<long>;
        private readonly bool isCounter = instrument is Counter<long> or Counter<double>;
        private readonly bool isGauge = instrument.IsObservable;

        public void Add(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = Labels(tags);
            lock (gate)
            {
                if (!series.TryGetValue(labels, out var one))
                {
                    series.Add(labels, one = new Series());
                }

                one.Count++;
                one.Sum = isGauge ? value : one.Sum + value;
                for (var i = 0; isHistogram && i < Seconds.Length; i++)
                {
                    one.Buckets[i] += value <= Seconds[i] ? 1 : 0;
                }
            }
        }

        public void Write(StringBuilder text)
        {
            var name = instrument.Name.Replace('.', '_') + (instrument.Unit == "s" ? "_seconds" : string.Empty) + (isCounter ? "_total" : string.Empty);
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {instrument.Description}\n")
                .Append(CultureInfo.InvariantCulture, $"# TYPE {name} {(isHistogram ? "histogram" : isCounter ? "counter" : "gauge")}\n");
            lock (gate)
            {
                foreach (var (labels, one) in series)
                {
                    if (!isHistogram)
                    {
                        text.Append(CultureInfo.InvariantCulture, $"{name}{Braced(labels)} {one.Sum:R}\n");
                        continue;
                    }

                    var comma = labels.Length > 0 ? labels + "," : labels;
                    for (var i = 0; i < Seconds.Length; i++)
                    {
                        text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{comma}le=\"{Seconds[i]:R}\"}} {one.Buckets[i]}\n");
                    }

                    text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{comma}le=\"+Inf\"}} {one.Count}\n")
                        .Append(CultureInfo.InvariantCulture, $"{name}_sum{Braced(labels)} {one.Sum:R}\n")
                        .Append(CultureInfo.InvariantCulture, $"{name}_count{Braced(labels)} {one.Count}\n");
                }
            }
        }

        private static string Braced(string labels) => labels.Length > 0 ? $"{{{labels}}}" : string.Empty;

        private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = new List<string>();
            foreach (var (name, value) in tags)
            {
                if (Tags.Contains(name))
                {
                    var text = $"{value}".Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
                        .Replace("\n", "\\n", StringComparison.Ordinal);
                    labels.Add($"{name.Replace('.', '_')}=\"{text}\"");
                }
            }

            labels.Sort(StringComparer.Ordinal);
            return string.Join(',', labels);
        }
    }

    private sealed class Series
    {
        public long Count { get; set; }

        public double Sum { get; set; }

        public long[] Buckets { get; } = new long[Seconds.Length];
    }
}
