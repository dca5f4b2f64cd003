using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Fovea.Board.Http;

namespace Fovea.Tests.Unit.Board;

/// <summary>What the board answers, and whom.</summary>
public sealed class BoardTests : IAsyncDisposable
{
    private readonly TempFolder folder = new();
    private ShownBoard? board;

    [Fact]
    public async Task Without_the_token_nothing_is_shown()
    {
        var open = await Start();
        using var stranger = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = new Uri(open.Address) };
        foreach (var path in new[] { "/", "/board.js", "/api/runs", "/?token=", "/?token=00", "/nothing" })
        {
            using var refused = await stranger.GetAsync(path);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }

        using var page = await stranger.GetAsync(open.Url);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        var cookie = Assert.Single(page.Headers.GetValues("Set-Cookie"));
        Assert.StartsWith($"fovea-board-{open.Port}=", cookie, StringComparison.Ordinal);
        Assert.EndsWith("; path=/; samesite=strict; httponly", cookie, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await open.Http.GetAsync("/api/runs")).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await open.Http.PostAsync("/api/runs", null)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await open.Http.GetAsync("/nothing")).StatusCode);
        Assert.NotEqual(open.Url, new BoardAccess().Url(open.Address));
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("127.0.0.1.evil.example")]
    [InlineData("169.254.169.254")]
    public async Task Another_host_name_is_refused_even_with_the_cookie(string host)
    {
        var open = await Start();
        using var request = new HttpRequestMessage(HttpMethod.Get, open.Url) { Headers = { Host = host } };
        Assert.Equal(HttpStatusCode.BadRequest, (await open.Http.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Pages_may_load_nothing_from_elsewhere()
    {
        var open = await Start();
        foreach (var path in WebFile.All.Select(file => file.Path))
        {
            using var answer = await open.Http.GetAsync(path);
            Assert.StartsWith("default-src 'none'; script-src 'self';", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
            var text = (await answer.Content.ReadAsStringAsync()).Replace("http://www.w3.org/2000/svg", string.Empty, StringComparison.Ordinal)
                .Replace("http://127.0.0.1:8000", string.Empty, StringComparison.Ordinal); // an example in words
            Assert.DoesNotContain("://", text, StringComparison.Ordinal);
            Assert.DoesNotContain("innerHTML", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Nothing_outside_the_folder_is_shown()
    {
        using var outside = new TempFolder();
        BoardRun.Finished(outside["secret"]);
        BoardRun.Finished(folder["good"]);
        Directory.CreateSymbolicLink(folder["link"], outside["secret"]);
        Directory.CreateDirectory(folder["half"]);
        foreach (var name in new[] { "trainer_log.jsonl", "running_log.txt", "predictions.html", "generated_predictions.jsonl" })
        {
            outside.Write(name, """{"current_steps": 1, "total_steps": 2, "loss": 123.5, "predict": "secret", "label": "x"}""" + "\n");
            File.CreateSymbolicLink(System.IO.Path.Combine(folder["half"], name), outside[name]);
        }

        var open = await Start();
        var runs = (await open.Get("/api/runs")).GetProperty("runs").EnumerateArray().ToDictionary(run => run.GetProperty("id").GetString()!);
        Assert.Equal(["good", "half"], runs.Keys.Order());
        Assert.False(runs["half"].TryGetProperty("loss", out _));
        Assert.Empty((await open.Get("/api/run?run=half")).GetProperty("series").EnumerateObject());
        Assert.False((await open.Get("/api/run?run=half")).GetProperty("report").GetBoolean());
        Assert.Equal("\"\"", await open.Http.GetStringAsync("/api/log?run=half"));
        Assert.Equal(0, (await open.Get("/api/answers?run=half")).GetProperty("all").GetInt32());
        foreach (var path in new[]
        {
            "/report?run=half", "/api/run?run=../secret", $"/api/run?run={outside["secret"]}", "/api/run?run=good/../good", "/api/run?run=link",
            "/api/run?run=good&run=half", "/api/run", "/api/log?run=good%00", "/..%2f..%2fetc/passwd", "/api/run?run=good/checkpoint-40",
        })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await open.Http.GetAsync(path)).StatusCode);
        }
    }

    [Fact]
    public async Task Bad_files_leave_gaps_and_no_fault()
    {
        folder.Write("noise/trainer_log.jsonl", [0xff, 0xfe, 0, 1, 2, 10, 200, 10]);
        folder.Write("noise/trainer_state.json", "[1, 2");
        folder.Write("noise/all_results.json", "\"text\"");
        folder.Write("noise/checkpoint-x/fovea_state.json", "{}");
        folder.Write("noise/checkpoint-3/fovea_state.json", """{"settings": [1]}""");
        folder.Write("noise/generated_predictions.jsonl", "{\"predict\": 5}\nnothing\n");
        folder.Write("nan/trainer_log.jsonl", """
            {"current_steps": 1, "total_steps": 3, "loss": 1.5}
            {"current_steps": 2, "total_steps": 3, "loss": NaN}
            {"current_steps": "three", "loss": 7}
            {"current_steps": 3, "total_ste
            """);
        using (var pipe = Process.Start("mkfifo", folder["noise/running_log.txt"]))
        {
            await pipe.WaitForExitAsync();
        }

        var open = await Start();
        Assert.Equal(2, (await open.Get("/api/runs")).GetProperty("runs").GetArrayLength());
        var noise = await open.Get("/api/run?run=noise");
        Assert.Empty(noise.GetProperty("series").EnumerateObject());
        Assert.Equal("{}", (await open.Get("/api/settings?run=noise")).GetRawText());
        Assert.Equal(1, (await open.Get("/api/answers?run=noise")).GetProperty("all").GetInt32());
        var loss = (await open.Get("/api/run?run=nan")).GetProperty("series").GetProperty("loss");
        Assert.Equal("""[1.5,"NaN"]""", loss.GetProperty("values").GetRawText());
    }

    [Fact]
    public async Task States_of_runs_are_told_by_their_logs()
    {
        BoardRun.Finished(folder["well"]);
        using var failed = new BoardRun(folder["deep/er/failed"]);
        failed.Steps(3);
        failed.Fail("out of memory");
        using var running = new BoardRun(folder["running"]);
        running.Steps(2);
        using var silent = new BoardRun(folder["silent"]);
        silent.Steps(2);
        silent.Dispose();
        foreach (var file in Directory.GetFiles(silent.Folder))
        {
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddHours(-3));
        }

        folder.Write("factory/trainer_log.jsonl", """{"current_steps": 5, "total_steps": 5}""" + "\n");
        folder.Write("factory/train_results.json", "{}");
        var open = await Start();
        var runs = (await open.Get("/api/runs")).GetProperty("runs").EnumerateArray()
            .ToDictionary(run => run.GetProperty("id").GetString()!, run => run.GetProperty("state").GetString());
        Assert.Equal("failed", runs["deep/er/failed"]);
        Assert.Equal(("finished", "finished"), (runs["well"], runs["factory"]));
        Assert.Equal(("running", "silent"), (runs["running"], runs["silent"]));
        Assert.Equal(
            "failed after step 3: out of memory", (await open.Get("/api/run?run=deep/er/failed")).GetProperty("run").GetProperty("reason").GetString());
        var well = await open.Get("/api/run?run=well");
        Assert.Equal(
            ["eval_loss", "grad_norm", "loss", "lr", "throughput", "vram_allocated", "vram_reserved"],
            well.GetProperty("series").EnumerateObject().Select(of => of.Name).Order(StringComparer.Ordinal));
        Assert.Equal(0.8, well.GetProperty("results").GetProperty("train_loss").GetDouble());
        Assert.Equal("8", (await open.Get("/api/settings?run=well")).GetProperty("values").GetProperty("lora_rank").GetString());
    }

    [Fact]
    public async Task A_log_is_followed_as_it_grows_and_when_it_begins_anew()
    {
        using var run = new BoardRun(folder["live"]);
        run.Steps(3);
        var open = await Start();
        var first = await open.Http.GetAsync("/api/run?run=live");
        using (var again = new HttpRequestMessage(HttpMethod.Get, "/api/run?run=live"))
        {
            again.Headers.IfNoneMatch.Add(EntityTagHeaderValue.Parse(first.Headers.ETag!.ToString()));
            Assert.Equal(HttpStatusCode.NotModified, (await open.Http.SendAsync(again)).StatusCode);
        }

        Assert.Equal([1, 2, 3], await Steps());
        run.Steps(2);
        Assert.Equal([1, 2, 3, 4, 5], await Steps());
        File.AppendAllText(System.IO.Path.Combine(run.Folder, "trainer_log.jsonl"), """{"current_steps": 6, "total""");
        Assert.Equal([1, 2, 3, 4, 5], await Steps());
        File.AppendAllText(System.IO.Path.Combine(run.Folder, "trainer_log.jsonl"), """_steps": 40, "loss": 1.5}""" + "\n");
        Assert.Equal([1, 2, 3, 4, 5, 6], await Steps());
        using var anew = new BoardRun(run.Folder);
        anew.Steps(8);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], await Steps());

        async Task<IEnumerable<int>> Steps() =>
            (await open.Get("/api/run?run=live")).GetProperty("series").GetProperty("loss").GetProperty("steps").EnumerateArray().Select(of => of.GetInt32());
    }

    [Fact]
    public async Task Long_series_keep_their_extremes()
    {
        var values = Enumerable.Range(1, 9000).Select(step => step == 4321 ? 99.5 : 1 + (step % 7 / 10.0)).ToList();
        var lines = values.Select((value, i) => $$"""{"current_steps": {{i + 1}}, "total_steps": 9000, "loss": {{value}}}""");
        folder.Write("long/trainer_log.jsonl", string.Join('\n', lines) + "\n");
        var loss = (await (await Start()).Get("/api/run?run=long")).GetProperty("series").GetProperty("loss");
        var shown = loss.GetProperty("values").EnumerateArray().Select(value => value.GetDouble()).ToList();
        Assert.Equal(9000, loss.GetProperty("of").GetInt32());
        Assert.InRange(shown.Count, 1500, 2000);
        Assert.Equal((values.Min(), values.Max()), (shown.Min(), shown.Max()));
    }

    [Fact]
    public async Task Answers_come_worst_first_and_a_report_cannot_reach_the_board()
    {
        folder.Write("asked/generated_predictions.jsonl", """
            {"prompt": "a", "predict": "a red circle", "label": "a red circle"}
            {"prompt": "b", "predict": "nothing", "label": "a blue square"}

            """);
        folder.Write("asked/predictions.html", "<!DOCTYPE html><title>x</title>");
        var open = await Start();
        var rows = (await open.Get("/api/answers?run=asked")).GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("number").GetInt32());
        Assert.Equal([2, 1], rows);
        using var report = await open.Http.GetAsync("/report?run=asked");
        Assert.StartsWith("sandbox allow-scripts; default-src 'none';", report.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Five_hundred_runs_are_listed_within_a_second()
    {
        for (var i = 0; i < 500; i++)
        {
            var lines = Enumerable.Range(1, 50).Select(step => $$"""{"current_steps": {{step}}, "total_steps": 50, "loss": {{step + i}}.5}""");
            folder.Write($"run{i}/trainer_log.jsonl", string.Join('\n', lines) + "\n");
            folder.Write($"run{i}/running_log.txt", """
                [INFO|2026-01-02 03:04:05] 50 steps on 4 samples, from step 0: model on cpu
                [INFO|2026-01-02 03:05:05] 50 steps done in 60.0 s

                """);
        }

        var open = await Start();
        var (first, clock) = (await open.Get("/api/runs"), Stopwatch.StartNew());
        Assert.Equal(500, first.GetProperty("runs").GetArrayLength());
        Assert.All(first.GetProperty("runs").EnumerateArray(), run => Assert.Equal("finished", run.GetProperty("state").GetString()));
        Assert.Equal(500, (await open.Get("/api/runs")).GetProperty("runs").GetArrayLength());
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        TestContext.Current.SendDiagnosticMessage($"500 runs again: {clock.Elapsed.TotalMilliseconds:0} ms");
    }

    [Fact]
    public async Task Questions_of_its_own_page_are_passed_on_with_the_servers_key()
    {
        await using var server = await AskedServer.Start();
        board = await ShownBoard.Start(folder.Path, models: new ModelProxy(server.Address, "secret"));
        Assert.Equal("""["base","tuned"]""", (await board.Get("/api/models")).GetProperty("models").GetRawText());
        const string question = """{"model": "tuned", "messages": []}""";
        Assert.Equal((HttpStatusCode.OK, $"Bearer secret {question}"), await Ask(board.Address, "application/json"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Ask("http://evil.example", "application/json")).Status);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Ask(null, "application/json")).Status);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Ask(board.Address, "text/plain")).Status);
        using var stranger = new HttpClient(new HttpClientHandler { UseCookies = false });
        using var request = new HttpRequestMessage(HttpMethod.Post, board.Address + "/api/ask") { Headers = { { "Origin", board.Address } } };
        request.Content = new StringContent(question, null, "application/json");
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.SendAsync(request)).StatusCode);
        await server.DisposeAsync();
        Assert.Equal(HttpStatusCode.BadGateway, (await Ask(board.Address, "application/json")).Status);
        Assert.NotEmpty((await board.Get("/api/models")).GetProperty("problem").GetString()!);

        async Task<(HttpStatusCode Status, string Text)> Ask(string? origin, string type)
        {
            using var asked = new HttpRequestMessage(HttpMethod.Post, "/api/ask") { Content = new StringContent(question, null, type) };
            if (origin is not null)
            {
                asked.Headers.Add("Origin", origin);
            }

            using var answer = await board!.Http.SendAsync(asked);
            return (answer.StatusCode, JsonDocument.Parse(answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync() : "{}").RootElement
                .TryGetProperty("choices", out var choices) ? choices[0].GetProperty("message").GetProperty("content").GetString()! : string.Empty);
        }
    }

    [Fact]
    public void What_is_no_folder_or_port_is_told()
    {
        Assert.Contains("there is no such folder", Problem(folder["none"], 0), StringComparison.Ordinal);
        Assert.Contains("--serve there", Assert.Throws<ConfigException>(() => new ModelProxy("there", null)).Message, StringComparison.Ordinal);
        Assert.Contains("port 70000", Problem(folder.Path, 70000), StringComparison.Ordinal);

        static string Problem(string path, int port) =>
            Assert.Throws<ConfigException>(() => Fovea.Board.BoardHost.Build(path, port, new BoardAccess())).Message;
    }

    public async ValueTask DisposeAsync()
    {
        if (board is not null)
        {
            await board.DisposeAsync();
        }

        folder.Dispose();
    }

    private async Task<ShownBoard> Start() => board = await ShownBoard.Start(folder.Path);
}
