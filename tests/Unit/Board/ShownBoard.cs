using System.Net;
using System.Text.Json;
using Fovea.Board;
using Fovea.Board.Http;
using Fovea.Launch;
using Microsoft.AspNetCore.Builder;

namespace Fovea.Tests.Unit.Board;

/// <summary>What <c>fovea board</c> runs, in this process on a port, and a client that has been let in.</summary>
internal sealed class ShownBoard : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly BoardAccess access;

    private ShownBoard(WebApplication app, BoardAccess access)
    {
        (this.app, this.access) = (app, access);
        Address = app.Urls.First();
        Http = new HttpClient(new HttpClientHandler { CookieContainer = new CookieContainer() }) { BaseAddress = new Uri(Address) };
    }

    public string Address { get; }

    public string Url => access.Url(Address);

    public HttpClient Http { get; }

    public int Port => new Uri(Address).Port;

    /// <param name="works">Whether it may start runs; the program is the one that the tests bring along.</param>
    public static async Task<ShownBoard> Start(string folder, int port = 0, string? token = null, ModelProxy? models = null, bool works = false)
    {
        var access = new BoardAccess(token);
        var program = works ? new OwnProgram(System.IO.Path.Combine(AppContext.BaseDirectory, "Fovea.Cli.dll")) : null;
        var app = BoardHost.Build(folder, port, access, models, program);
        await app.StartAsync();
        var board = new ShownBoard(app, access);
        (await board.Http.GetAsync(board.Url)).EnsureSuccessStatusCode();
        return board;
    }

    public async Task<JsonElement> Get(string path) => JsonDocument.Parse(await Http.GetStringAsync(path)).RootElement;

    /// <summary>Sends something as the board's own page does.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Answer)> Post(string path, object body)
    {
        using var asked = new HttpRequestMessage(HttpMethod.Post, path);
        asked.Content = new StringContent(JsonSerializer.Serialize(body), null, "application/json");
        asked.Headers.Add("Origin", Address);
        using var answer = await Http.SendAsync(asked);
        var text = await answer.Content.ReadAsStringAsync();
        return (answer.StatusCode, text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : JsonSerializer.SerializeToElement(new { text }));
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
    }
}
