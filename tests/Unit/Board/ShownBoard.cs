using System.Net;
using System.Text.Json;
using Fovea.Board;
using Fovea.Board.Http;
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

    public static async Task<ShownBoard> Start(string folder, int port = 0, string? token = null, ModelProxy? models = null)
    {
        var access = new BoardAccess(token);
        var app = BoardHost.Build(folder, port, access, models);
        await app.StartAsync();
        var board = new ShownBoard(app, access);
        (await board.Http.GetAsync(board.Url)).EnsureSuccessStatusCode();
        return board;
    }

    public async Task<JsonElement> Get(string path) => JsonDocument.Parse(await Http.GetStringAsync(path)).RootElement;

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
    }
}
