using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Fovea.Tests.Unit.Board;

/// <summary>A server that answers as OpenAI's interface does, with the key and the words that it got.</summary>
internal sealed class AskedServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> gates = new();
    private readonly TaskCompletionSource left = new();

    private AskedServer(WebApplication app) => this.app = app;

    public string Address => app.Urls.First();

    public static async Task<AskedServer> Start()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRoutingCore();
        var app = builder.Build();
        AskedServer? server = null;
        app.MapGet("/v1/models", context => context.Response.WriteAsJsonAsync(new { data = new[] { new { id = "base" }, new { id = "tuned" } } }));
        app.MapPost("/v1/chat/completions", async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var asked = await reader.ReadToEndAsync();
            var content = $"{context.Request.Headers.Authorization} {asked}".Trim();
            if (JsonDocument.Parse(asked).RootElement is var of && of.TryGetProperty("stream", out var streams) && streams.GetBoolean())
            {
                await server!.Stream(context, of, content);
                return;
            }

            await context.Response.WriteAsJsonAsync(new { choices = new[] { new { message = new { content }, finish_reason = "stop" } } });
        });
        server = new AskedServer(app);
        await app.StartAsync();
        return server;
    }

    /// <summary>Done once somebody has left in the middle of an answer.</summary>
    public Task Left => left.Task;

    /// <summary>A model that was asked to wait says the rest.</summary>
    public void GoOn(string model) => Gate(model).TrySetResult();

    /// <summary>Says the question back at once, or, asked to wait, two words: the second one when it may.</summary>
    private async Task Stream(HttpContext context, JsonElement asked, string content)
    {
        context.Response.ContentType = "text/event-stream";
        var waits = asked.GetProperty("messages")[0].GetProperty("content").EnumerateArray()
            .Any(part => part.TryGetProperty("text", out var text) && text.GetString() == "wait");
        try
        {
            await Say(waits ? "first " : content);
            if (waits)
            {
                await Gate(asked.GetProperty("model").GetString()!).Task.WaitAsync(context.RequestAborted);
                await Say("second");
            }

            await Send("""{"choices": [{"delta": {}, "finish_reason": "stop"}]}""");
            await Send("""{"choices": [], "usage": {"completion_tokens": 2}}""");
            await Send("[DONE]");
        }
        catch (OperationCanceledException)
        {
            left.TrySetResult();
        }

        Task Say(string text) => Send(JsonSerializer.Serialize(new { choices = new[] { new { delta = new { content = text } } } }));
        async Task Send(string data)
        {
            await context.Response.WriteAsync($"data: {data}\n\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }
    }

    private TaskCompletionSource Gate(string model) => gates.GetOrAdd(model, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
