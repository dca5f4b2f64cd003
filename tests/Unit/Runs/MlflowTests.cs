using System.Diagnostics;
using System.Text;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Trackers;
using Fovea.Tests.Unit.Hub;

namespace Fovea.Tests.Unit.Runs;

/// <summary>A run in MLflow, whatever the server does meanwhile.</summary>
public sealed class MlflowTests : IDisposable
{
    private static readonly TrackerLimits Quick = new()
    {
        FirstPause = TimeSpan.FromMilliseconds(5), LongestPause = TimeSpan.FromMilliseconds(20), End = TimeSpan.FromSeconds(20),
    };

    private readonly FakeMlflow server = new();
    private readonly TempFolder folder = new();
    private readonly List<RunEvent> seen = [];

    [Fact]
    public void A_run_leaves_its_settings_its_numbers_and_its_end()
    {
        Assert.Null(Track([("MLFLOW_EXPERIMENT_NAME", "receipts"), ("MLFLOW_TAGS", """{"team": "documents", "size": 3}""")], steps: 5));
        var run = server.Only;
        Assert.Equal((server.Experiments["receipts"], "out", "FINISHED", true), (run.Experiment, run.Name, run.Status, run.Ended));
        Assert.Equal("8", run.Params["lora_rank"]);
        Assert.Equal(("documents", "3", "out"), (run.Tags["team"], run.Tags["size"], run.Tags["mlflow.runName"]));
        Assert.Equal([5.0, 4, 3, 2, 1], run.Of("loss"));
        Assert.Equal([1, 2, 3, 4, 5], run.Metrics.Where(m => m.Key == "learning_rate").Select(m => m.Step));
        Assert.Equal((2.5, 0.75, 1.25), (run.Of("eval_loss")[0], run.Of("eval_exact_match")[0], run.Of("train_loss")[0]));
        Assert.DoesNotContain(run.Metrics, metric => metric.Key == "step");
        Assert.DoesNotContain(seen, e => e is Warning);
    }

    [Fact]
    public void A_resumed_run_goes_on_in_the_same_one_and_a_new_run_does_not()
    {
        Track([], steps: 2, end: new RunInterrupted(2, "Ctrl-C", "checkpoint-2", "again"));
        Assert.Equal("KILLED", server.Only.Status);
        Assert.Null(Track([], steps: 4, from: 2, rank: "16"));
        Assert.Equal([4.0, 3, 2, 1], server.Only.Of("loss"));

        // A param is written once: what it was when the run began stays.
        Assert.Equal(("FINISHED", "8"), (server.Only.Status, server.Only.Params["lora_rank"]));
        Track([], steps: 1);
        Assert.Equal(2, server.Runs.Count);
        Track([("MLFLOW_RUN_ID", "run0")], steps: 1);
        Assert.Equal((2, 5), (server.Runs.Count, server.Runs["run0"].Of("loss").Length));
    }

    [Fact]
    public void A_run_that_is_not_there_any_more_is_begun_anew()
    {
        Track([], steps: 2, end: new RunInterrupted(2, "Ctrl-C", "checkpoint-2", "again"));
        server.Runs.Clear();
        Assert.Null(Track([], steps: 4, from: 2));
        Assert.Equal([2.0, 1], server.Only.Of("loss"));
        var refused = Track([("MLFLOW_RUN_ID", "nobody")], steps: 1);
        Assert.True(refused is null || refused.Contains("MLFLOW_RUN_ID", StringComparison.Ordinal));
        Assert.Contains(Problems(refused), text => text.Contains("there is no run nobody", StringComparison.Ordinal));
    }

    [Fact]
    public void Credentials_are_sent_and_shown_nowhere()
    {
        Track([("MLFLOW_TRACKING_TOKEN", "s3cret")], steps: 1);
        Assert.All(server.Requests, request => Assert.Equal("Bearer s3cret", request.Header("authorization")));
        server.Requests.Clear();
        Track([("MLFLOW_TRACKING_USERNAME", "me"), ("MLFLOW_TRACKING_PASSWORD", "s3cret"), ("MLFLOW_TRACKING_TOKEN", "other")], steps: 1);
        var basic = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("me:s3cret"));
        Assert.All(server.Requests, request => Assert.Equal(basic, request.Header("authorization")));
        var settings = MlflowSettings.Read(name => name == "MLFLOW_TRACKING_URI" ? "http://me:s3cret@host:1/ml?x=1" : null);
        Assert.Equal(("http://host:1/ml/", basic), (settings.Server.ToString(), settings.Authorization!.ToString()));

        server.Fault = _ => HubReply.Error(401);
        var lost = Track([("MLFLOW_TRACKING_TOKEN", "s3cret")], steps: 3);
        var problem = Assert.Single(Problems(lost));
        Assert.Contains("401", problem);
        Assert.Contains("set MLFLOW_TRACKING_TOKEN", problem);
        Assert.DoesNotContain("s3cret", problem);
        Assert.DoesNotContain("s3cret", string.Concat(folder.Names().Select(name => File.ReadAllText(folder[name]))));
    }

    [Fact]
    public void Failures_that_pass_lose_nothing()
    {
        var asked = 0;
        server.Fault = _ => (asked++ % 3) switch
        {
            0 => HubReply.Error(503),
            1 => HubReply.Json("{}") with { CutAfter = 1 },
            _ => null,
        };
        Assert.Null(Track([], steps: 20));
        Assert.Equal(20, server.Only.Of("loss").Distinct().Count());
        Assert.Equal("FINISHED", server.Only.Status);
    }

    [Fact]
    public void A_silent_server_holds_up_no_step_and_the_end_for_a_bounded_time()
    {
        server.Fault = _ => HubReply.Json("{\"a\": 1}") with { SilentAfter = 1 };
        var limits = Quick with { Queue = 10, End = TimeSpan.FromMilliseconds(200) };
        var watch = Stopwatch.StartNew();
        var lost = Track([], steps: 500, limits: limits);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
        Assert.Matches(@"^report_to: mlflow did not take 50\d of 50\d entries and not the end of this run: ", Assert.Single(Problems(lost)));
    }

    [Fact]
    public void A_server_that_goes_away_in_the_middle_is_told_once_with_what_is_missing()
    {
        using var hub = new EventHub(new Keep(seen));
        using var sink = Sink([], Quick with { Attempts = 3 });
        hub.Add(sink);
        hub.Write(Started(0, "8"));
        hub.Write(Logged(1, 9));
        Assert.True(SpinWait.SpinUntil(() => server.Runs.Values.Any(run => run.Metrics.Count > 0), TimeSpan.FromSeconds(20)));
        server.Fault = _ => HubReply.Error(500);
        hub.Write(Logged(2, 9));
        hub.Write(Logged(3, 9));
        var lost = sink.Finish(new RunFinished(3, 1, 1, 1));
        Assert.StartsWith("report_to: mlflow did not take 3 of 5 entries and not the end of this run: MLflow at ", lost);
        Assert.Contains("500", lost);
        Assert.Null(sink.Finish(null));
    }

    [Fact]
    public void What_is_not_MLflow_is_told_and_the_run_goes_on()
    {
        server.Fault = _ => new HubReply(200, "<html>hello</html>"u8.ToArray(), ("Content-Type", "text/html"));
        Assert.Contains("is this an MLflow server?", Assert.Single(Problems(Track([], steps: 3))));
        server.Fault = _ => new HubReply(302, [], ("Location", "https://elsewhere/"));
        Assert.Contains("it redirects to https://elsewhere/", Assert.Single(Problems(Track([], steps: 3))));
    }

    [Fact]
    public void Requests_stay_within_the_limits_of_the_server()
    {
        var answers = Enumerable.Range(0, 2500).ToDictionary(i => $"metric (no. {i}) {new string('m', i % 2 == 0 ? 0 : 300)}", i => (double)i);
        using var sink = Sink([], Quick);
        var settings = Enumerable.Range(0, 250).ToDictionary(i => $"key.{i}", i => new string('v', i * 40 + 1));
        sink.Write(Started(0, "8") with { Config = settings });
        sink.Write(new Evaluated(1, 1, 1, double.NaN, 1, 1, 1) { AnswerMetrics = answers });
        Assert.Null(sink.Finish(new RunFailed(1, "it broke")));
        Assert.Equal("FAILED", server.Only.Status);
        Assert.Equal(150, server.Only.Params.Count);
        Assert.Equal(Enumerable.Range(0, 2500).Select(i => (double)i), server.Only.Metrics.Where(m => m.Key.StartsWith("eval_metric", StringComparison.Ordinal))
            .Select(m => m.Value));
        Assert.Contains("eval_metric _no. 0_ ", server.Only.Metrics.Select(m => m.Key));
        Assert.True(double.IsNaN(server.Only.Of("eval_loss")[0]));
    }

    [Theory]
    [InlineData(null, "needs the variable MLFLOW_TRACKING_URI")]
    [InlineData("mlruns", "must begin with http")]
    [InlineData("sqlite:///mlflow.db", "must begin with http")]
    public void Where_the_server_is_must_be_known(string? address, string part) => Assert.Contains(
        part, Assert.Throws<ConfigException>(() => MlflowSettings.Read(name => name == "MLFLOW_TRACKING_URI" ? address : null)).Message);

    [Fact]
    public void Tags_must_be_an_object() =>
        Assert.Contains("MLFLOW_TAGS", Assert.Throws<ConfigException>(() => MlflowSettings.Read(server.Variables(("MLFLOW_TAGS", "[1]")))).Message);

    [Fact]
    public void All_means_the_trackers_that_can_be_used_here()
    {
        Assert.Equal(["tensorboard"], TrackerNames.Of(["all"], _ => null));
        Assert.Equal(["tensorboard", "mlflow"], TrackerNames.Of(["all"], server.Variables()));
        Assert.Equal(["tensorboard"], TrackerNames.Of(["all"], server.Variables(("DISABLE_MLFLOW_INTEGRATION", "TRUE"))));
        Assert.Equal(["mlflow", "tensorboard"], TrackerNames.Of(["mlflow", "tensorboard", "mlflow"], _ => null));
        Assert.Empty(TrackerNames.Of(["none"], server.Variables()));
    }

    public void Dispose()
    {
        server.Dispose();
        folder.Dispose();
    }

    private static StepLogged Logged(int step, int total) =>
        new(step, total, total - step + 1, 0.5, 1e-4, (double)step / total) { TokensPerSecond = 100, SamplesPerSecond = 2 };

    private RunStarted Started(int from, string rank) => new()
    {
        OutputDir = folder.Path, Model = "m", TrainableParameters = 1, AllParameters = 2, Samples = 4, TotalSteps = 5, StartStep = from,
        Config = new Dictionary<string, string> { ["lora_rank"] = rank, ["empty"] = string.Empty },
    };

    private BackgroundSink Sink((string, string)[] variables, TrackerLimits limits) =>
        new(new MlflowTracker(MlflowSettings.Read(server.Variables(variables)), folder.Path, "out"), limits);

    /// <summary>What is told of it, at the end or before.</summary>
    private IEnumerable<string> Problems(string? lost) =>
        seen.OfType<Warning>().Select(warning => warning.Text).Concat(lost is null ? [] : [lost]);

    private string? Track((string, string)[] variables, int steps, int from = 0, string rank = "8", RunEvent? end = null, TrackerLimits? limits = null)
    {
        seen.Clear();
        using var hub = new EventHub(new Keep(seen));
        var sink = Sink(variables, limits ?? Quick);
        hub.Add(sink);
        hub.Write(Started(from, rank));
        for (var step = from + 1; step <= steps; step++)
        {
            hub.Write(Logged(step, end is null ? steps : 4));
        }

        if (end is null)
        {
            hub.Write(new Evaluated(steps, steps, 1, 2.5, 1, 1, 1) { Final = true, AnswerMetrics = new Dictionary<string, double> { ["exact_match"] = 0.75 } });
        }

        end ??= new RunFinished(steps, 1, 1.25, 1);
        var lost = sink.Finish(end);
        hub.Write(end);
        return lost;
    }

    private sealed class Keep(List<RunEvent> seen) : IEventSink
    {
        public void Write(RunEvent e) => seen.Add(e);
    }
}
