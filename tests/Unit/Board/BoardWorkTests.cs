using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Fovea.Board.Work;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Board;

/// <summary>What a board has done on request: settings checked and kept, runs started, stopped and resumed.</summary>
public sealed class BoardWorkTests : IAsyncDisposable
{
    private static readonly string[] Posts = ["check", "samples", "plan", "save", "start", "resume", "stop"];
    private readonly TinyRun run = new();
    private ShownBoard? board;

    [Fact]
    public void The_form_knows_every_key_with_its_default()
    {
        var defaults = new TrainConfig().ToDictionary();
        Assert.Equal(defaults.Keys, FormKeys.All.Select(key => key.Key));
        Assert.All(FormKeys.All, key => Assert.Equal(defaults[key.Key], key.Default));
        Assert.All(FormKeys.All, key => Assert.NotEmpty(key.Meaning));
        Assert.Equal("Tuning", FormKeys.All.Single(key => key.Key == "lora_rank").Section);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task A_configuration_is_checked_by_the_code_that_trains()
    {
        var open = await Start();
        var (status, answer) = await open.Post("/api/check", new { yaml = Yaml("out") });
        Assert.Equal((HttpStatusCode.OK, "out"), (status, answer.GetProperty("run").GetString()));
        var wrong = await Problems("/api/check", new { yaml = Yaml("out") + "lora_rnak: 8\nwarmup_ratio: 7\n" });
        Assert.Contains(wrong, text => text.Contains("lora_rnak: is not a key that Fovea knows; did you mean lora_rank?", StringComparison.Ordinal));
        Assert.Contains(wrong, text => text.Contains("warmup_ratio: 7 is not allowed", StringComparison.Ordinal));
        Assert.Contains("not valid YAML", Assert.Single(await Problems("/api/check", new { yaml = "a: [1\nb: {" })), StringComparison.Ordinal);
        Assert.NotEmpty(await Problems("/api/check", new { }));
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Nothing_is_started_or_kept_outside_the_folder()
    {
        using var outside = new TempFolder();
        Directory.CreateSymbolicLink(run.Out("link"), outside.Path);
        File.CreateSymbolicLink(run.Out("kept.yaml"), outside["kept"]);
        var open = await Start();
        foreach (var path in new[] { outside["x"], run.Out("../x"), run.Folder, run.Out("link/x"), run.Out(".hidden"), run.Out("a/checkpoint-3"), "a/b" })
        {
            Assert.StartsWith("output_dir: ", Assert.Single(await Problems("/api/start", new { yaml = Yaml("out", path) })), StringComparison.Ordinal);
        }

        var logging = await Problems("/api/start", new { yaml = Yaml("out") + $"logging_dir: {outside.Path}\n" });
        Assert.StartsWith("logging_dir: ", Assert.Single(logging), StringComparison.Ordinal);
        foreach (var name in new[] { "../x.yaml", "/x.yaml", ".x.yaml", "x", "a/b.yaml", "x.yaml\n", string.Empty })
        {
            Assert.StartsWith("a file's name", Assert.Single(await Problems("/api/save", new { name, yaml = Yaml("out") })), StringComparison.Ordinal);
        }

        var kept = await Problems("/api/save", new { name = "kept.yaml", yaml = Yaml("out") });
        Assert.Contains("is there already", Assert.Single(kept), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await open.Post("/api/save", new { name = "kept.yaml", yaml = Yaml("out"), replace = true })).Status);
        Assert.Equal(HttpStatusCode.OK, (await open.Post("/api/save", new { name = "new.yaml", yaml = Yaml("out") })).Status);
        Assert.Empty(Directory.GetFileSystemEntries(outside.Path));
        Assert.Equal(Yaml("out"), (await open.Get("/api/yaml?name=new.yaml")).GetProperty("yaml").GetString());
        foreach (var query in new[] { "name=../new.yaml", "name=nothing.yaml", "run=../x", string.Empty })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await open.Http.GetAsync($"/api/yaml?{query}")).StatusCode);
        }
    }

    [Fact]
    public async Task Only_its_own_page_may_ask_and_a_board_that_only_shows_does_nothing()
    {
        var open = await Start();
        foreach (var path in Posts)
        {
            using var foreign = new HttpRequestMessage(HttpMethod.Post, $"/api/{path}") { Content = new StringContent("{}", null, "application/json") };
            foreign.Headers.Add("Origin", "http://evil.example");
            Assert.Equal(HttpStatusCode.MethodNotAllowed, (await open.Http.SendAsync(foreign)).StatusCode);
            using var stranger = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = new Uri(open.Address) };
            using var unknown = new HttpRequestMessage(HttpMethod.Post, $"/api/{path}") { Content = new StringContent("{}", null, "application/json") };
            unknown.Headers.Add("Origin", open.Address);
            Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.SendAsync(unknown)).StatusCode);
        }

        Assert.Single(await Problems("/api/stop", new { run = "nothing" }));
        Assert.Single(await Problems("/api/resume", new { run = "../x" }));
        Assert.Equal(HttpStatusCode.BadRequest, (await open.Post("/api/stop", new[] { 1 })).Status);
        await open.DisposeAsync();
        board = await ShownBoard.Start(run.Folder);
        foreach (var path in Posts)
        {
            Assert.Equal(HttpStatusCode.MethodNotAllowed, (await board.Post($"/api/{path}", new { yaml = Yaml("out") })).Status);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await board.Http.GetAsync("/api/form")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await board.Http.GetAsync("/api/yaml?name=run.yaml")).StatusCode);
        Assert.False((await board.Get("/api/runs")).GetProperty("works").GetBoolean());
        Assert.False(Directory.Exists(run.Out(".board")));
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task A_run_is_started_stopped_and_resumed_and_survives_the_board()
    {
        var open = await Start();
        Assert.Equal(HttpStatusCode.OK, (await open.Post("/api/start", new { yaml = Yaml("deep/out") + "max_steps: 4000\n" })).Status);
        Assert.Equal("running", await State("deep/out"));
        Assert.Contains("is running already", Assert.Single(await Problems("/api/start", new { yaml = Yaml("deep/out") })), StringComparison.Ordinal);
        await Until(async () => (await Run("deep/out")).GetProperty("run").TryGetProperty("step", out var step) && step.GetInt32() >= 3);
        await open.DisposeAsync();
        board = await ShownBoard.Start(run.Folder, works: true);
        Assert.True((await Run("deep/out")).GetProperty("job").GetProperty("alive").GetBoolean());
        var series = (await Run("deep/out")).GetProperty("series");
        Assert.Equal(series.GetProperty("loss").GetProperty("of").GetInt32(), series.GetProperty("grad_norm").GetProperty("of").GetInt32(), 1.0);
        var settings = await board.Get("/api/settings?run=deep/out");
        Assert.Equal("training_args.yaml", settings.GetProperty("from").GetString());
        Assert.Equal("4000", settings.GetProperty("values").GetProperty("max_steps").GetString());
        Assert.Equal("8", settings.GetProperty("values").GetProperty("lora_rank").GetString());
        Assert.Equal(HttpStatusCode.OK, (await board.Post("/api/stop", new { run = "deep/out" })).Status);
        await Until(async () => await State("deep/out") == "stopped");
        var stopped = await Run("deep/out");
        Assert.Equal((130, true), (stopped.GetProperty("job").GetProperty("code").GetInt32(), stopped.GetProperty("resumes").GetBoolean()));
        var at = stopped.GetProperty("run").GetProperty("step").GetInt32();
        var (status, answer) = await board.Post("/api/resume", new { run = "deep/out" });
        Assert.True(status == HttpStatusCode.OK, answer.ToString());
        await Until(async () => (await Run("deep/out")).GetProperty("run").GetProperty("step").GetInt32() > at);
        Assert.Contains($"from step {at}", await board.Http.GetStringAsync("/api/log?run=deep/out"), StringComparison.Ordinal);
        await board.Post("/api/stop", new { run = "deep/out" });
        await Until(async () => await State("deep/out") == "stopped");
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task A_run_that_fails_before_it_begins_says_why()
    {
        await Start();
        await board!.Post("/api/start", new { yaml = Yaml("out") + "template: nothing_of_the_kind\n" });
        await Until(async () => await State("out") == "failed");
        var reason = (await Run("out")).GetProperty("run").GetProperty("reason").GetString();
        Assert.StartsWith("its process ended with code 2: ", reason, StringComparison.Ordinal);
        Assert.Contains("nothing_of_the_kind", reason, StringComparison.Ordinal);
        Assert.Contains("nothing_of_the_kind", await board.Http.GetStringAsync("/api/output?run=out"), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Samples_and_plan_are_those_of_the_command_line()
    {
        await Start();
        var (status, page) = await board!.Post("/api/samples", new { yaml = Yaml("out") + "cutoff_len: 60\n", first = 3 });
        Assert.True(status == HttpStatusCode.OK, page.ToString());
        Assert.Equal((24, 3, 6), (page.GetProperty("count").GetInt32(), page.GetProperty("first").GetInt32(), page.GetProperty("samples").GetArrayLength()));
        var sample = page.GetProperty("samples")[0];
        Assert.Equal("tiny_shapes, row 4", sample.GetProperty("name").GetString());
        Assert.StartsWith("data:image/", sample.GetProperty("images")[0].GetProperty("uri").GetString(), StringComparison.Ordinal);
        var spans = sample.GetProperty("turns").EnumerateArray().SelectMany(turn => turn.GetProperty("text").EnumerateArray()).ToList();
        Assert.Contains(spans, span => span.GetProperty("trained").GetBoolean());
        Assert.Contains(spans, span => span.GetProperty("text").GetString()!.Contains("<|image_pad|> x ", StringComparison.Ordinal));
        Assert.True(sample.GetProperty("trained").GetInt32() < sample.GetProperty("tokens").GetInt32());
        var rows = run.Rows(2, rows => rows[0]!["messages"]![1]!["content"] = string.Concat(Enumerable.Repeat("a red circle and ", 200)));
        var (told, cut) = await board.Post("/api/samples", new
        {
            yaml = Yaml("out").Replace("dataset: tiny_shapes\n", string.Empty, StringComparison.Ordinal).Replace("dataset_dir", "#", StringComparison.Ordinal)
                + $"cutoff_len: 150\n{string.Join('\n', rows.Select(row => row.Replace("=", ": ", StringComparison.Ordinal)))}\n",
        });
        Assert.True(told == HttpStatusCode.OK, cut.ToString());
        Assert.Equal([true, false], cut.GetProperty("samples").EnumerateArray().Select(of => of.GetProperty("truncated").GetBoolean()));
        var (planned, plan) = await board.Post("/api/plan", new { yaml = Yaml("out"), card = "1GiB" });
        Assert.True(planned == HttpStatusCode.OK, plan.ToString());
        Assert.Equal((1L << 30, "cpu"), (plan.GetProperty("card").GetInt64(), plan.GetProperty("device").GetString()));
        Assert.All(plan.GetProperty("rows").EnumerateArray(), row => Assert.True(row.GetProperty("fits").GetBoolean()));
        Assert.Contains("--card 5", Assert.Single(await Problems("/api/plan", new { yaml = Yaml("out"), card = "5 apples" })), StringComparison.Ordinal);
        Assert.Single(await Problems("/api/samples", new { run = "none" }));
    }

    public async ValueTask DisposeAsync()
    {
        if (board is not null)
        {
            await board.DisposeAsync();
        }

        run.Dispose();
    }

    private static async Task Until(Func<Task<bool>> happened)
    {
        for (var clock = Stopwatch.StartNew(); !await happened(); await Task.Delay(100))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(2), "it did not happen within two minutes");
        }
    }

    private string Yaml(string name, string? output = null)
    {
        var text = File.ReadAllText(run.Config).Replace("max_steps: 10\n", string.Empty, StringComparison.Ordinal)
            .Replace("template: qwen2_vl\n", string.Empty, StringComparison.Ordinal);
        return $"{text.TrimEnd()}\noutput_dir: {output ?? run.Out(name)}\n";
    }

    private async Task<ShownBoard> Start() => board = await ShownBoard.Start(run.Folder, works: true);

    private Task<JsonElement> Run(string id) => board!.Get($"/api/run?run={id}");

    private async Task<string?> State(string id) => (await Run(id)).GetProperty("run").GetProperty("state").GetString();

    private async Task<IReadOnlyList<string>> Problems(string path, object body)
    {
        var (status, answer) = await board!.Post(path, body);
        Assert.True(status == HttpStatusCode.UnprocessableEntity, $"{status} {answer}");
        return [.. answer.GetProperty("problems").EnumerateArray().Select(problem => problem.GetString()!)];
    }
}
