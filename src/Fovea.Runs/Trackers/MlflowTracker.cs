using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fovea.Events;
using Fovea.Runs.Files;

namespace Fovea.Runs.Trackers;

/// <summary>
/// A run in MLflow, as Transformers' callback writes it: settings as params, each log entry as metrics under its own names, the status at the end. A run that
/// is resumed goes on in the same MLflow run, whose id its output folder keeps (<see cref="FileName"/>).
/// </summary>
internal sealed partial class MlflowTracker(MlflowSettings settings, string outputDir, string name) : ITracker
{
    public const string FileName = "mlflow_run.json";

    // What MLflow takes in one request, and as one name or value.
    private const int MostMetrics = 1000;
    private const int MostParams = 100;
    private const int LongestKey = 250;
    private const int LongestValue = 6000;
    private const int LongestTag = 5000;

    private readonly MlflowClient client = new(settings);
    private readonly string file = Path.Combine(outputDir, FileName);
    private readonly HashSet<string> written = new(StringComparer.Ordinal);

    // How far its beginning has come: a request that failed is repeated, those before it are not.
    private RunStarted? started;
    private string? experiment;
    private string? run;
    private bool reopened;
    private bool described;
    private bool kept;
    private bool ending;

    public string Name => "mlflow";

    public bool Wants(RunEvent e) => e is RunStarted or StepLogged or Evaluated or CheckpointSaved or RunFinished;

    public async Task Send(IReadOnlyList<RunEvent> events, CancellationToken cancel)
    {
        started = events.OfType<RunStarted>().LastOrDefault() ?? started;
        await Begin(cancel).ConfigureAwait(false);
        if (!kept && events.Any(LogEntries.ShowTraining))
        {
            // Not before: until then the folder's checkpoints may be those of another run.
            AtomicFile.WriteText(file, new JsonObject { ["tracking_uri"] = settings.Server.ToString(), ["run_id"] = run }.ToJsonString() + "\n");
            kept = true;
        }

        foreach (var part in events.SelectMany(Metrics).Chunk(MostMetrics))
        {
            await Log("metrics", part, cancel).ConfigureAwait(false);
        }
    }

    public async Task End(RunEvent? last, CancellationToken cancel)
    {
        if (started is null)
        {
            return;
        }

        if (!ending)
        {
            await Send(last is null ? [] : [last], cancel).ConfigureAwait(false);
            ending = true;
        }

        await Update(last is RunFinished ? "FINISHED" : last is RunInterrupted ? "KILLED" : "FAILED", last?.Time ?? DateTimeOffset.UtcNow, cancel)
            .ConfigureAwait(false);
    }

    public void Dispose() => client.Dispose();

    /// <summary>The names that MLflow takes, as Transformers makes them.</summary>
    internal static string Clean(string name)
    {
        var clean = OtherThanName().Replace(name, "_");
        return clean.Length > LongestKey ? clean[..LongestKey] : clean;
    }

    private static IEnumerable<JsonObject> Metrics(RunEvent e)
    {
        if (LogEntries.For(e) is not { } entry)
        {
            yield break;
        }

        if (e is StepLogged log)
        {
            entry["tokens_per_second"] = log.TokensPerSecond;
            entry["samples_per_second"] = log.SamplesPerSecond;
        }

        var step = Convert.ToInt64(entry["step"], CultureInfo.InvariantCulture);
        entry.Remove("step");
        foreach (var (key, value) in entry)
        {
            if (value is not null)
            {
                var number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
                yield return new JsonObject
                {
                    ["key"] = Clean(key),
                    ["value"] = double.IsFinite(number) ? number : double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity",
                    ["timestamp"] = e.Time.ToUnixTimeMilliseconds(),
                    ["step"] = step,
                };
            }
        }
    }

    private async Task Begin(CancellationToken cancel)
    {
        run ??= await Known(cancel).ConfigureAwait(false) ?? await Create(cancel).ConfigureAwait(false);
        if (reopened)
        {
            await Update("RUNNING", end: null, cancel).ConfigureAwait(false);
            reopened = false;
        }

        if (!described)
        {
            await Describe(cancel).ConfigureAwait(false);
            described = true;
        }
    }

    private async Task<string> Create(CancellationToken cancel)
    {
        experiment ??= await Experiment(cancel).ConfigureAwait(false);
        var title = settings.RunName ?? name;
        var made = await client.Post(
            "runs/create",
            new JsonObject
            {
                ["experiment_id"] = experiment,
                ["run_name"] = title,
                ["start_time"] = (started?.Time ?? DateTimeOffset.UtcNow).ToUnixTimeMilliseconds(),
                ["tags"] = new JsonArray(
                    Pair("mlflow.runName", title), Pair("mlflow.user", Environment.UserName), Pair("mlflow.source.name", "fovea"),
                    Pair("mlflow.source.type", "LOCAL")),
            },
            cancel).ConfigureAwait(false) ?? throw Missing("the experiment is not there");
        return Text(made, "run", "info", "run_id") ?? throw Missing("runs/create answered without a run_id");
    }

    /// <summary>The run to go on with; null where there is none.</summary>
    private async Task<string?> Known(CancellationToken cancel)
    {
        if ((settings.RunId ?? (started is { StartStep: > 0 } ? Remembered() : null)) is not { } id)
        {
            return null;
        }

        var there = await client.Get("runs/get", "run_id", id, cancel).ConfigureAwait(false);
        if (there is null)
        {
            return settings.RunId is null ? null : throw Missing($"there is no run {id}, which MLFLOW_RUN_ID names");
        }

        if (At(there.Value, "run", "data", "params") is { ValueKind: JsonValueKind.Array } pairs)
        {
            written.UnionWith(pairs.EnumerateArray().Select(pair => Text(pair, "key")).OfType<string>());
        }

        reopened = true;
        return id;
    }

    private string? Remembered()
    {
        try
        {
            var note = JsonFile.ReadNodes(file);
            return (string?)note["tracking_uri"] == settings.Server.ToString() ? (string?)note["run_id"] : null;
        }
        catch (Exception e) when (e is ConfigException or InvalidOperationException)
        {
            return null;
        }
    }

    private async Task<string> Experiment(CancellationToken cancel)
    {
        if (settings.ExperimentId is { } id)
        {
            return id;
        }

        if (settings.ExperimentName is not { } wanted)
        {
            return "0";
        }

        if (await client.Get("experiments/get-by-name", "experiment_name", wanted, cancel).ConfigureAwait(false) is { } there)
        {
            return Text(there, "experiment", "lifecycle_stage") == "deleted"
                ? throw Missing($"the experiment {wanted} is deleted there: restore it, or set another MLFLOW_EXPERIMENT_NAME")
                : Text(there, "experiment", "experiment_id") ?? throw Missing("experiments/get-by-name answered without an experiment_id");
        }

        var made = await client.Post("experiments/create", new JsonObject { ["name"] = wanted }, cancel).ConfigureAwait(false);
        return made is { } answer && Text(answer, "experiment_id") is { } fresh ? fresh : throw Missing("experiments/create answered without an experiment_id");
    }

    /// <summary>The settings as params, which can be written once, and the tags. A run whose settings are not taken is still worth its numbers.</summary>
    private async Task Describe(CancellationToken cancel)
    {
        try
        {
            var settled = (started?.Config ?? new Dictionary<string, string>())
                .Where(pair => pair.Value.Length is > 0 and <= LongestValue && !written.Contains(Clean(pair.Key)))
                .ToList();
            foreach (var part in settled.Chunk(MostParams))
            {
                await Log("params", part.Select(pair => Pair(Clean(pair.Key), pair.Value)), cancel).ConfigureAwait(false);
                written.UnionWith(part.Select(pair => Clean(pair.Key)));
            }

            foreach (var part in settings.Tags.Select(tag => Pair(Clean(tag.Key), Short(tag.Value))).Chunk(MostParams))
            {
                await Log("tags", part, cancel).ConfigureAwait(false);
            }
        }
        catch (TrackerException e) when (!e.Passes)
        {
            // Servers differ in how long a value may be.
        }
    }

    private async Task Log(string what, IEnumerable<JsonObject> items, CancellationToken cancel) => _ = await client.Post(
        "runs/log-batch", new JsonObject { ["run_id"] = run, [what] = new JsonArray([.. items]) }, cancel).ConfigureAwait(false)
        ?? throw Missing($"the run {run} is not there any more");

    private async Task Update(string status, DateTimeOffset? end, CancellationToken cancel)
    {
        var body = new JsonObject { ["run_id"] = run, ["status"] = status };
        if (end is { } time)
        {
            body["end_time"] = time.ToUnixTimeMilliseconds();
        }

        _ = await client.Post("runs/update", body, cancel).ConfigureAwait(false) ?? throw Missing($"the run {run} is not there any more");
    }

    private static JsonObject Pair(string key, string value) => new() { ["key"] = key, ["value"] = value };

    private static string Short(string value) => value.Length > LongestTag ? value[..LongestTag] : value;

    private static string? Text(JsonElement from, params ReadOnlySpan<string> path) =>
        At(from, path) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static JsonElement? At(JsonElement from, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out from))
            {
                return null;
            }
        }

        return from;
    }

    private TrackerException Missing(string what) => new($"MLflow at {settings.Server}: {what}", passes: false);

    [GeneratedRegex(@"[^0-9A-Za-z_\-. :/]", RegexOptions.CultureInvariant)]
    private static partial Regex OtherThanName();
}
