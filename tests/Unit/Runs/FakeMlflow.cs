using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Tests.Unit.Hub;

namespace Fovea.Tests.Unit.Runs;

/// <summary>An MLflow server as far as runs need one, with its limits and its error codes.</summary>
internal sealed class FakeMlflow : IDisposable
{
    private readonly HubListener listener;
    private readonly Lock gate = new();

    public FakeMlflow() => listener = new HubListener(elsewhere: false, Answer);

    public string Url => listener.Url;

    public ConcurrentDictionary<string, FakeRun> Runs { get; } = new();

    public Dictionary<string, string> Experiments { get; } = new() { ["Default"] = "0" };

    public ConcurrentQueue<HubRequest> Requests { get; } = new();

    /// <summary>What is wrong with the server at a request; null where nothing is.</summary>
    public Func<HubRequest, HubReply?>? Fault { get; set; }

    public FakeRun Only => Runs.Values.Single();

    public Func<string, string?> Variables(params (string Name, string Value)[] more) =>
        name => name == "MLFLOW_TRACKING_URI" ? Url : more.FirstOrDefault(pair => pair.Name == name).Value;

    public void Dispose() => listener.Dispose();

    private static HubReply Error(int status, string code, string message) => HubReply.Json(
        new JsonObject { ["error_code"] = code, ["message"] = message }.ToJsonString()) with { Status = status };

    private static HubReply Invalid(string message) => Error(400, "INVALID_PARAMETER_VALUE", message);

    private HubReply Answer(HubRequest request)
    {
        Requests.Enqueue(request);
        if (Fault?.Invoke(request) is { } fault)
        {
            return fault;
        }

        lock (gate)
        {
            var body = request.Body.Length == 0 ? new JsonObject() : JsonNode.Parse(request.Body)!.AsObject();
            const string root = "/api/2.0/mlflow/";
            Assert.StartsWith(root, request.Path);
            return (request.Method, request.Path[root.Length..]) switch
            {
                ("GET", "experiments/get-by-name") => ByName(request.Parameter("experiment_name")!),
                ("POST", "experiments/create") => Experiment((string)body["name"]!),
                ("POST", "runs/create") => Begin(body),
                ("GET", "runs/get") =>
                    Runs.TryGetValue(request.Parameter("run_id")!, out var run) ? Show(run) : Error(404, "RESOURCE_DOES_NOT_EXIST", "no run"),
                ("POST", "runs/log-batch") => Log(body, request.Body.Length),
                ("POST", "runs/update") => Update(body),
                _ => Error(404, "ENDPOINT_NOT_FOUND", request.Path),
            };
        }
    }

    private HubReply ByName(string name) => Experiments.TryGetValue(name, out var id)
        ? HubReply.Json(new JsonObject
        {
            ["experiment"] = new JsonObject { ["experiment_id"] = id, ["name"] = name, ["lifecycle_stage"] = "active" },
        }.ToJsonString())
        : Error(404, "RESOURCE_DOES_NOT_EXIST", $"no experiment {name}");

    private HubReply Experiment(string name)
    {
        if (!Experiments.TryAdd(name, $"{Experiments.Count}"))
        {
            return Error(400, "RESOURCE_ALREADY_EXISTS", name);
        }

        return HubReply.Json(new JsonObject { ["experiment_id"] = Experiments[name] }.ToJsonString());
    }

    private HubReply Begin(JsonObject body)
    {
        if (!Experiments.ContainsValue((string)body["experiment_id"]!))
        {
            return Error(404, "RESOURCE_DOES_NOT_EXIST", "no such experiment");
        }

        var run = new FakeRun($"run{Runs.Count}", (string)body["experiment_id"]!, (string)body["run_name"]!);
        foreach (var tag in body["tags"]!.AsArray())
        {
            run.Tags[(string)tag!["key"]!] = (string)tag["value"]!;
        }

        Runs[run.Id] = run;
        return Show(run);
    }

    private static HubReply Show(FakeRun run) => HubReply.Json(new JsonObject
    {
        ["run"] = new JsonObject
        {
            ["info"] = new JsonObject { ["run_id"] = run.Id, ["status"] = run.Status },
            ["data"] = new JsonObject
            {
                ["params"] = new JsonArray([.. run.Params.Select(pair => new JsonObject { ["key"] = pair.Key, ["value"] = pair.Value })]),
            },
        },
    }.ToJsonString());

    private HubReply Log(JsonObject body, int bytes)
    {
        if (!Runs.TryGetValue((string)body["run_id"]!, out var run))
        {
            return Error(404, "RESOURCE_DOES_NOT_EXIST", "no run");
        }

        var (metrics, settings, tags) = (body["metrics"]?.AsArray() ?? [], body["params"]?.AsArray() ?? [], body["tags"]?.AsArray() ?? []);
        if (bytes > 1_000_000 || metrics.Count > 1000 || settings.Count > 100 || tags.Count > 100)
        {
            return Invalid("too much at once");
        }

        foreach (var metric in metrics)
        {
            if (((string)metric!["key"]!).Length > 250 || (long)metric["timestamp"]! < 0)
            {
                return Invalid("metric");
            }

            var value = metric["value"]!.GetValueKind() == JsonValueKind.String
                ? double.Parse((string)metric["value"]!, System.Globalization.CultureInfo.InvariantCulture)
                : (double)metric["value"]!;
            run.Metrics.Add(((string)metric["key"]!, value, (int)(long)metric["step"]!));
        }

        foreach (var setting in settings)
        {
            var (key, value) = ((string)setting!["key"]!, (string)setting["value"]!);
            if (key.Length > 250 || Encoding.UTF8.GetByteCount(value) > 6000 || run.Params.GetValueOrDefault(key, value) != value)
            {
                return Invalid($"param {key}");
            }

            run.Params[key] = value;
        }

        foreach (var tag in tags)
        {
            run.Tags[(string)tag!["key"]!] = (string)tag["value"]!;
        }

        return HubReply.Json("{}");
    }

    private HubReply Update(JsonObject body)
    {
        if (!Runs.TryGetValue((string)body["run_id"]!, out var run))
        {
            return Error(404, "RESOURCE_DOES_NOT_EXIST", "no run");
        }

        run.Status = (string)body["status"]!;
        run.Ended = body.ContainsKey("end_time");
        return HubReply.Json("{}");
    }
}
