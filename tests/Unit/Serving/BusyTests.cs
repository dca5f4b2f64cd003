using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Fovea.AspNetCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fovea.Tests.Unit.Serving;

/// <summary>What a server says that loads, has its hands full, or is kept too long. Whatever takes time is held by the test.</summary>
public sealed class BusyTests : NativeTest
{
    private const string Held = "held-by-the-test";
    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim gate = new();
    private readonly List<IAsyncDisposable> apps = [];
    private int made;

    // Large: thousands of properties, each with a number of its own range.
    private static string LargeSchema => $"{{\"title\": \"{Held}\", \"type\": \"object\", \"properties\": {{{string.Join(", ", Enumerable.Range(0, 3000)
        .Select(i => $"\"p{i}\": {{\"type\": \"integer\", \"minimum\": {i}, \"maximum\": {i * 7}}}"))}}}}}";

    [Fact]
    public async Task A_schema_is_made_ready_beside_the_answers_and_once()
    {
        var app = Start();
        var asked = Schema(app, LargeSchema);
        await begun.Task;
        var same = Schema(app, LargeSchema);
        Assert.Equal(HttpStatusCode.OK, (await app.Chat()).Status);
        Assert.Equal(HttpStatusCode.OK, (await Schema(app, """{"type": "boolean"}""")).Status);
        Assert.False(asked.IsCompleted || same.IsCompleted);
        gate.Set();
        foreach (var reply in await Task.WhenAll(asked, same, Schema(app, LargeSchema)))
        {
            Assert.Equal(HttpStatusCode.OK, reply.Status);
            Assert.StartsWith("{", reply.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal(1, made);
    }

    [Theory]
    [InlineData("its text has")]
    [InlineData("states")]
    public async Task A_schema_that_is_too_large_is_told(string problem)
    {
        var schema = problem == "states" ? """{"type": "string", "minLength": 9000000}""" : $"{{\"description\": \"{new string('x', 300_000)}\"}}";
        var (status, json) = await Schema(Start(), schema);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        var message = json.GetProperty("error").GetProperty("message").GetString();
        Assert.Contains("the constraint is too large", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_queue_is_429_with_a_time_to_come_again()
    {
        var app = Start(options => options.Limits = options.Limits with { MaxRunning = 1, MaxQueued = 1 });
        var asked = Schema(app, LargeSchema);
        await begun.Task;
        var (status, json) = await Two(app);
        Assert.Equal((HttpStatusCode.TooManyRequests, "rate_limit_exceeded"), (status, Code(json)));
        using var body = new StringContent(
            """{"model": "tiny", "n": 2, "temperature": 1, "stream": true, "messages": [{"role": "user", "content": "Hi"}]}""", Encoding.UTF8,
            "application/json");
        using var reply = await app.Http.PostAsync("/v1/chat/completions", body);
        Assert.Equal(HttpStatusCode.TooManyRequests, reply.StatusCode);
        Assert.Equal("1", reply.Headers.GetValues("Retry-After").Single());
        Assert.Equal("rate_limit_error", (await Json(reply)).GetProperty("error").GetProperty("type").GetString());

        // There is room for one.
        Assert.Equal(HttpStatusCode.OK, (await app.Chat()).Status);
        gate.Set();
        Assert.Equal(HttpStatusCode.OK, (await asked).Status);
        Assert.Equal(HttpStatusCode.OK, (await Two(app)).Status);
    }

    [Fact]
    public async Task Bodies_that_are_too_many_bytes_together_are_429()
    {
        var app = Start(options => (options.MaxBodyBytes, options.MaxBodiesBytes) = (10_000, 10_000));
        using var slow = new TcpClient();
        await slow.ConnectAsync(IPAddress.Loopback, new Uri(app.Url).Port);
        var stream = slow.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + "Content-Length: 10000\r\nExpect: 100-continue\r\n\r\n"));
        using var reader = new StreamReader(stream);
        Assert.Equal("HTTP/1.1 100 Continue", await reader.ReadLineAsync()); // said when the body is waited for
        using var body = new StringContent("{}", Encoding.UTF8, "application/json");
        using var reply = await app.Http.PostAsync("/v1/chat/completions", body);
        Assert.Equal((HttpStatusCode.TooManyRequests, "1"), (reply.StatusCode, reply.Headers.GetValues("Retry-After").Single()));
        await stream.WriteAsync(Encoding.ASCII.GetBytes(new string(' ', 10_000)));
        await reader.ReadLineAsync();
        Assert.Equal("HTTP/1.1 400 Bad Request", await reader.ReadLineAsync());
        Assert.Equal(HttpStatusCode.OK, (await app.Chat()).Status);
    }

    [Fact]
    public async Task What_takes_too_long_is_504_and_holds_nothing()
    {
        var app = Start(options => options.Timeout = TimeSpan.FromMilliseconds(200));
        var (status, json) = await Schema(app, LargeSchema);
        Assert.Equal((HttpStatusCode.GatewayTimeout, "timeout"), (status, Code(json)));
        Assert.Equal((0, 0, 0), (app.Server.Status.Queued, app.Server.Status.Running, app.Server.Status.PagesInUse));
    }

    [Fact]
    public async Task While_it_loads_it_says_so()
    {
        var options = ServedApp.Options();
        options.Limits = options.Limits with { Logger = new Gate(id => id == 20, begun, gate) }; // Loading
        var app = FoveaHost.Build(options, "127.0.0.1", 0, []);
        apps.Add(app);
        await app.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        await begun.Task;
        using var health = await http.GetAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal("""{"status":"the model is being loaded"}""", await health.Content.ReadAsStringAsync());
        using var body = new StringContent("""{"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}""", Encoding.UTF8, "application/json");
        foreach (var asked in new[] { http.GetAsync("/v1/models"), http.GetAsync("/v1/models/tiny"), http.PostAsync("/v1/chat/completions", body) })
        {
            using var reply = await asked;
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "1"), (reply.StatusCode, reply.Headers.GetValues("Retry-After").Single()));
            Assert.Equal("service_unavailable", Code(await Json(reply)));
        }

        gate.Set();
        await app.Services.GetRequiredService<LoadedServer>().Loading;
        Assert.Equal("""{"status":"ok"}""", await http.GetStringAsync("/health"));
    }

    protected override void Cleanup()
    {
        gate.Set();
        foreach (var app in apps)
        {
            app.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        gate.Dispose();
    }

    private static Task<(HttpStatusCode Status, JsonElement Json)> Two(ServedApp app) => app.Post(
        "/v1/chat/completions", "{'model': 'tiny', 'n': 2, 'temperature': 1, 'max_tokens': 6, 'messages': [{'role': 'user', 'content': 'Hi'}]}");

    private static string? Code(JsonElement json) => json.GetProperty("error").GetProperty("code").GetString();

    private static async Task<JsonElement> Json(HttpResponseMessage reply) => JsonSerializer.Deserialize<JsonElement>(await reply.Content.ReadAsStringAsync());

    private static Task<(HttpStatusCode Status, JsonElement Json)> Schema(ServedApp app, string schema) =>
        app.Chat($", 'response_format': {{'type': 'json_schema', 'json_schema': {{'name': 'x', 'schema': {schema}}}}}");

    // Constraints with the mark are held before they are made.
    private ServedApp Start(Action<FoveaOptions>? configure = null)
    {
        var app = ServedApp.Start(configure);
        apps.Add(app);
        app.Server.Model.Loaded.Answerer.Constraints.Begun = constraint =>
        {
            if (constraint.Text.Contains(Held, StringComparison.Ordinal))
            {
                Interlocked.Increment(ref made);
                begun.TrySetResult();
                gate.Wait();
            }
        };
        return app;
    }

    private sealed class Gate(Func<int, bool> holds, TaskCompletionSource begun, ManualResetEventSlim gate) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (holds(eventId.Id))
            {
                begun.TrySetResult();
                gate.Wait();
            }
        }
    }
}
