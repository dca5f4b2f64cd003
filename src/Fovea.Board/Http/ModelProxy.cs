using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Fovea.Board.Http;

/// <summary>Passes questions of the board's page on to one model server, whose key no browser needs to know.</summary>
internal sealed class ModelProxy : IDisposable
{
    /// <summary>Most bytes of a question with its picture.</summary>
    public const int MostBytes = 32 << 20;

    private const string Path = "/api/ask";

    private const string Streamed = "text/event-stream";
    private const int Piece = 16 << 10;

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);
    private readonly HttpClient? client;
    private readonly Uri? server;

    /// <param name="server">Where <c>fovea serve</c> listens; null: there is nothing to ask.</param>
    /// <param name="key">Its API key, if it has one.</param>
    /// <exception cref="ConfigException">The address cannot be used.</exception>
    public ModelProxy(string? server, string? key)
    {
        if (server is null)
        {
            return;
        }

        this.server = Uri.TryCreate(server.TrimEnd('/') + "/", UriKind.Absolute, out var at) && at.Scheme is "http" or "https" ? at
            : throw new ConfigException($"--serve {server}: give the address that fovea serve prints, for instance http://127.0.0.1:8000");
        client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false })
        {
            BaseAddress = this.server, Timeout = Longest, MaxResponseContentBufferSize = MostBytes,
        };
        client.DefaultRequestHeaders.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
    }

    public void Map(IEndpointRouteBuilder app, OwnPage page)
    {
        page.Allow(Path);
        app.MapGet("/api/models", Models);
        app.MapPost(Path, Ask);
    }

    public void Dispose() => client?.Dispose();

    private async Task Models(HttpContext context)
    {
        if (client is null)
        {
            await Replies.Json(context, new { });
            return;
        }

        try
        {
            using var answer = await client.GetAsync("v1/models", context.RequestAborted);
            var text = await answer.Content.ReadAsStringAsync(context.RequestAborted);
            var data = Ids(text);
            await Replies.Json(context, answer.IsSuccessStatusCode && data is not null
                ? new { server, models = data } : new { server, problem = $"{(int)answer.StatusCode}: {Short(text)}" });
        }
        catch (HttpRequestException e)
        {
            await Replies.Json(context, new { server, problem = e.Message });
        }
    }

    private async Task Ask(HttpContext context)
    {
        if (client is null)
        {
            await Replies.Problem(context, StatusCodes.Status404NotFound, "the board was started without --serve");
            return;
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions") { Content = new StreamContent(context.Request.Body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        try
        {
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
            context.Response.StatusCode = (int)answer.StatusCode;
            context.Response.ContentType = answer.Content.Headers.ContentType?.MediaType is Streamed ? Streamed : "application/json; charset=utf-8";
            await Pass(await answer.Content.ReadAsStreamAsync(context.RequestAborted), context);
        }
        catch (HttpRequestException e)
        {
            await Replies.Problem(context, StatusCodes.Status502BadGateway, $"{server} cannot be asked: {e.Message}");
        }
    }

    /// <summary>Each piece as it comes. Whoever goes away ends the answer at the server, too.</summary>
    private static async Task Pass(Stream answer, HttpContext context)
    {
        var buffer = new byte[Piece];
        try
        {
            for (int read; (read = await answer.ReadAsync(buffer, context.RequestAborted)) > 0;)
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            context.Abort(); // half an answer must not look like a whole one
        }
    }

    private static List<string>? Ids(string text)
    {
        try
        {
            using var json = JsonText.Parse(Encoding.UTF8.GetBytes(text));
            return json.RootElement.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Array
                ? [.. data.EnumerateArray().Select(model => model.GetProperty("id").GetString() ?? string.Empty)] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static string Short(string text) => text.Length <= 300 ? text : text[..300] + " …";
}
