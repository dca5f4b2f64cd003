using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Serving;

/// <summary><c>fovea serve</c> as a process: its start, its end, clients that vanish, and being killed.</summary>
[Trait("Category", "Long")]
public sealed partial class ServeProcessTests
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task It_says_where_it_is_and_ends_in_peace_when_told_to()
    {
        using var process = Start("--adapter", $"tuned={TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens")}", "--name", "tiny");
        using var http = Client(process);
        Assert.Contains("ready: tiny, tuned at http://127.0.0.1:", process.Output, StringComparison.Ordinal);
        Assert.Equal("""{"status":"ok"}""", await http.GetStringAsync("/health"));

        // An answer under way when the signal comes is given whole.
        using var stream = await Stream(http, 400);
        await stream.ReadLineAsync();
        process.Signal("TERM");
        var rest = await stream.ReadToEndAsync();
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.Equal(0, process.Wait());
        Assert.DoesNotContain(process.Errors.Split('\n'), line => line.StartsWith("error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Clients_that_vanish_free_their_pages()
    {
        using var process = Start("--name", "tiny");
        using var http = Client(process);
        var streams = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Stream(http, 900)));
        await Task.WhenAll(streams.Select(stream => stream.ReadLineAsync()));
        Assert.NotEqual(0, await Gauge(http, "pages_in_use"));
        foreach (var stream in streams)
        {
            stream.Dispose();
        }

        using var time = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await Gauge(http, "pages_in_use") + await Gauge(http, "running") + await Gauge(http, "queued") > 0)
        {
            await Task.Delay(20, time.Token);
        }
    }

    [Fact]
    public async Task Killed_under_load_it_is_ready_again()
    {
        var before = Snapshot();
        using (var process = Start("--name", "tiny"))
        {
            using var http = Client(process);
            var streams = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Stream(http, 900)));
            await Task.WhenAll(streams.Select(stream => stream.ReadLineAsync()));
            process.Kill();
            foreach (var stream in streams)
            {
                stream.Dispose();
            }
        }

        var started = System.Diagnostics.Stopwatch.StartNew();
        using var again = Start("--name", "tiny");
        Assert.InRange(started.Elapsed, TimeSpan.Zero, Soon); // about one second of computing: the runtime a third, compiling and loading the rest
        using var asked = Client(again);
        using var whole = await Stream(asked, 20);
        Assert.EndsWith("data: [DONE]\n\n", await whole.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public void What_cannot_be_served_is_told_before_anything_listens()
    {
        foreach (var (word, arguments) in new (string, string[])[]
        {
            ("--api-key", ["--model", Folder, "--host", "0.0.0.0"]), ("no model is named", []),
            ("a name of its own", ["--model", Folder, "--adapter", "a=x", "--adapter", "a=y"]),
            ("not-there", ["--model", "not-there", "--port", "0"]), ("port", ["--model", Folder, "--port", "70000"]),
        })
        {
            var (code, output, errors) = FoveaProcess.Run(["serve", "--cpu", .. arguments]);
            Assert.Equal((word, 2), (word, code));
            Assert.Contains(word, errors, StringComparison.Ordinal);
            Assert.DoesNotContain("ready", output, StringComparison.Ordinal);
        }
    }

    /// <summary>Starts it on a free port, and waits until it is ready.</summary>
    internal static FoveaProcess Start(params string[] arguments)
    {
        var process = FoveaProcess.Start(["serve", "--model", Folder, "--cpu", "--port", "0", .. arguments], "FOVEA_API_KEY");
        Assert.True(process.WaitUntil(() => process.Output.Contains("ready: ", StringComparison.Ordinal)), process.Errors);
        return process;
    }

    internal static string UrlOf(FoveaProcess process) => Url().Match(process.Output).Value;

    private static HttpClient Client(FoveaProcess process) => new() { BaseAddress = new Uri(UrlOf(process)), Timeout = TimeSpan.FromMinutes(2) };

    // Without tokens that end it an answer is as long as it may be.
    private static async Task<StreamReader> Stream(HttpClient http, int tokens)
    {
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "generation_config.json")));
        var ends = config.RootElement.GetProperty("eos_token_id");
        var bias = (ends.ValueKind == JsonValueKind.Array ? ends.EnumerateArray().ToList() : [ends]).ToDictionary(id => $"{id}", _ => -100);
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = JsonContent.Create(new
            {
                model = "tiny", stream = true, max_tokens = tokens, temperature = 0, logit_bias = bias,
                messages = new[] { new { role = "user", content = "Hi" } },
            }),
        };
        var reply = await http.SendAsync(ask, HttpCompletionOption.ResponseHeadersRead);
        Assert.True(reply.IsSuccessStatusCode, reply.IsSuccessStatusCode ? string.Empty : await reply.Content.ReadAsStringAsync());
        return new StreamReader(await reply.Content.ReadAsStreamAsync(), Encoding.UTF8);
    }

    private static async Task<int> Gauge(HttpClient http, string name)
    {
        var metrics = await http.GetStringAsync("/metrics");
        return int.Parse(metrics.Split('\n').Single(line => line.StartsWith($"fovea_server_{name}{{", StringComparison.Ordinal)).Split(' ')[^1]);
    }

    private static string Snapshot() => string.Join('\n', Directory.EnumerateFiles(Folder).Order().Select(file => $"{file} {new FileInfo(file).Length}"));

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+", RegexOptions.CultureInvariant)]
    private static partial Regex Url();
}
