using System.Net.Http.Headers;
using Fovea.Hub.Fetching;
using Fovea.Hub.Http;
using Fovea.Hub.Pushing;

namespace Fovea.Hub;

/// <summary>The way to a hub: Hugging Face's, or ModelScope where the environment asks for it.</summary>
internal sealed class HubClient : IDisposable
{
    private readonly HubHttp http;

    /// <param name="pause">Waits between tries; tests do not.</param>
    /// <param name="free">Gives the free bytes below a folder; null asks the system.</param>
    public HubClient(
        HubSettings settings, Connections? connections = null, Func<TimeSpan, CancellationToken, Task>? pause = null, Func<string, long>? free = null)
    {
        Settings = settings;
        http = settings.ModelScope
            ? new HubHttp(settings.ModelScopeEndpoint, request => IdentifyScope(request, settings.ModelScopeToken), settings.Patience, pause)
            : new HubHttp(settings.Endpoint, request => Identify(request, settings.Token), settings.Patience, pause);
        Store = settings.ModelScope
            ? new ModelScopeStore(settings, http, connections ?? new(), free)
            : new HubStore(settings, http, connections ?? new(), free);
    }

    public HubSettings Settings { get; }

    public IRepoStore Store { get; }

    internal HubHttp Http => http;

    /// <summary>The local folder of a repository's revision, fetched as far as the cache does not have it.</summary>
    /// <exception cref="HubException">It cannot be had.</exception>
    public Task<string> Fetch(FetchRequest request, CancellationToken cancel) => Store.Fetch(request, cancel);

    /// <summary>Pushes files to Hugging Face's hub.</summary>
    /// <returns>The address of the commit.</returns>
    /// <exception cref="HubException">The hub refuses, or ModelScope is the hub in use.</exception>
    public Task<string> Push(PushRequest request, CancellationToken cancel) => Settings.ModelScope
        ? throw new HubException(HubFault.Refused, "results are pushed to Hugging Face's hub alone: unset USE_MODELSCOPE_HUB, or use ModelScope's own client")
        : new HubPusher(Settings, http).Push(request, cancel);

    public void Dispose() => http.Dispose();

    internal static void Identify(HttpRequestMessage request, string? token)
    {
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    // Older parts of its API know the cookie alone.
    private static void IdentifyScope(HttpRequestMessage request, string? token)
    {
        if (token is not null)
        {
            Identify(request, token);
            request.Headers.Add("Cookie", $"m_session_id={token}");
        }
    }
}
