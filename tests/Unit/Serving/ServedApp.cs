using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Fovea.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fovea.Tests.Unit.Serving;

/// <summary>What <c>fovea serve</c> runs, in this process on a free port, over a tiny model named <c>tiny</c> with an adapter <c>tuned</c>.</summary>
internal sealed class ServedApp : IAsyncDisposable
{
    public static readonly string Picture = Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), "images/001_0.png");
    private readonly WebApplication app;

    private ServedApp(WebApplication app, ModelServer server)
    {
        (this.app, Server) = (app, server);
        Url = app.Urls.First();
        Http = new HttpClient { BaseAddress = new Uri(Url) };
    }

    public string Url { get; }

    public ModelServer Server { get; }

    public HttpClient Http { get; }

    /// <summary>An image as a data URI.</summary>
    public static string Data => $"data:image/png;base64,{Convert.ToBase64String(File.ReadAllBytes(Picture))}";

    public static ServedApp Start(Action<FoveaOptions>? configure = null, IReadOnlyList<string>? cors = null, Action<ILoggingBuilder>? logging = null)
    {
        var options = Options();
        configure?.Invoke(options);
        var app = FoveaHost.Build(options, "127.0.0.1", 0, cors ?? [], logging);
        app.StartAsync().GetAwaiter().GetResult();
        return new ServedApp(app, app.Services.GetRequiredService<LoadedServer>().Loading.GetAwaiter().GetResult());
    }

    /// <summary>The tiny model with its adapter.</summary>
    public static FoveaOptions Options() => new()
    {
        Folder = TestFiles.Golden("qwen2_5_vl_tiny/model"),
        Model = new()
        {
            Device = "cpu",
            NamedAdapters = new Dictionary<string, string> { ["tuned"] = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens") },
        },
        Limits = new() { Name = "tiny" },
    };

    /// <summary>Posts a body; its single quotes stand for double ones.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Json)> Post(string path, string body)
    {
        using var content = new StringContent(body.Replace('\'', '"'), Encoding.UTF8, "application/json");
        using var response = await Http.PostAsync(path, content);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    /// <summary>Asks for a chat with these fields beside a short question.</summary>
    public Task<(HttpStatusCode Status, JsonElement Json)> Chat(string fields = "", string content = "'Hi'")
    {
        var limit = fields.Contains("max_", StringComparison.Ordinal) ? string.Empty : ", 'max_tokens': 6";
        return Post(
            "/v1/chat/completions",
            "{'model': 'tiny', 'temperature': 0, 'messages': [{'role': 'user', 'content': " + content + "}]" + limit + fields + "}");
    }

    /// <summary>A chat with an image.</summary>
    public Task<(HttpStatusCode Status, JsonElement Json)> See(string url) =>
        Chat(content: "[{'type': 'text', 'text': 'What?'}, {'type': 'image_url', 'image_url': {'url': '" + url + "'}}]");

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
    }
}
