using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Fovea.Tests.Unit.Board;

/// <summary>A server that answers as OpenAI's interface does, with the key and the words that it got.</summary>
internal sealed class AskedServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private AskedServer(WebApplication app) => this.app = app;

    public string Address => app.Urls.First();

    public static async Task<AskedServer> Start()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRoutingCore();
        var app = builder.Build();
        app.MapGet("/v1/models", context => context.Response.WriteAsJsonAsync(new { data = new[] { new { id = "base" }, new { id = "tuned" } } }));
        app.MapPost("/v1/chat/completions", async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var content = $"{context.Request.Headers.Authorization} {await reader.ReadToEndAsync()}".Trim();
            await context.Response.WriteAsJsonAsync(new { choices = new[] { new { message = new { content }, finish_reason = "stop" } } });
        });
        await app.StartAsync();
        return new AskedServer(app);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
