using System.Net;
using System.Text.Json;

namespace Fovea.Hub.Http;

/// <summary>What the answers of Hugging Face's hub mean, in words with a remedy.</summary>
internal sealed class HubAnswers(HubSettings settings)
{
    // An answer of an API is small; what is larger is not one.
    private const int MostBytes = 64 << 20;

    /// <summary>The JSON of an answer.</summary>
    public static async Task<JsonDocument> Json(HttpResponseMessage response, CancellationToken cancel)
    {
        await response.Content.LoadIntoBufferAsync(MostBytes, cancel).ConfigureAwait(false);
        var bytes = await response.Content.ReadAsByteArrayAsync(cancel).ConfigureAwait(false);
        try
        {
            return JsonText.Parse(bytes);
        }
        catch (JsonException e)
        {
            throw new HubException(HubFault.Refused, $"{response.RequestMessage?.RequestUri?.Host} answers with something that is not JSON", e);
        }
    }

    /// <summary>Nothing, where a request succeeded.</summary>
    /// <exception cref="HubException">It did not.</exception>
    public async Task Check(HttpResponseMessage response, RepoName repo, string? revision, CancellationToken cancel, string? file = null)
    {
        if ((int)response.StatusCode is >= 200 and < 300)
        {
            return;
        }

        var (code, message) = (Header(response, "X-Error-Code"), Header(response, "X-Error-Message"));
        message ??= await Message(response, cancel).ConfigureAwait(false);
        throw Explain(response.StatusCode, code, message, repo, revision, file);
    }

    /// <summary>The error that an answer stands for.</summary>
    internal HubException Explain(HttpStatusCode status, string? code, string? message, RepoName repo, string? revision, string? file)
    {
        var host = settings.Endpoint.Authority;
        var what = repo.Kind == RepoKind.Dataset ? "dataset" : "repository";
        var page = new Uri(settings.Endpoint, (repo.Kind == RepoKind.Dataset ? "datasets/" : string.Empty) + repo.Id);
        var number = (int)status;
        return code switch
        {
            "GatedRepo" => new(HubFault.Gated, settings.Token is null
                ? $"{repo.Id} is gated: accept its conditions at {page}, then give a token of that account ({Remedy})"
                : $"{repo.Id} is gated, and the account of the token ({settings.TokenPlace}) has no access: ask for it at {page}"),
            "RevisionNotFound" => new(HubFault.NoRevision, $"{repo.Id} on {host} has no branch, tag or commit '{revision}'"),
            "EntryNotFound" => new(HubFault.NoFile, $"{repo.Id}@{revision} on {host} has no file {file}"),
            _ when message == "Access to this resource is disabled." => new(HubFault.Refused, $"{repo.Id} was disabled by {host}"),
            _ when number == 401 && settings.Token is not null && message?.Contains("Invalid", StringComparison.OrdinalIgnoreCase) == true => new(
                HubFault.Token, $"{host} does not accept the token from {settings.TokenPlace}: it has expired or was mistyped; "
                    + "make a new one in the account's settings"),
            "RepoNotFound" or _ when code == "RepoNotFound" || number is 401 or 404 => new(HubFault.NoRepository, settings.Token is null
                ? $"{host} has no {what} {repo.Id} that is public: check the name, or give a token if it is private ({Remedy})"
                : $"{host} has no {what} {repo.Id} that the token from {settings.TokenPlace} may read: check the name and the token's permissions"),
            _ when number == 403 => new(HubFault.Token, $"{host} forbids this for {repo.Id}: {message ?? "no reason given"}; "
                + (settings.Token is null ? $"give a token ({Remedy})" : $"the token from {settings.TokenPlace} needs more permissions")),
            _ when number == 429 => new(HubFault.Unreachable, $"{host} takes no more requests for now (429); try again later"
                + (settings.Token is null ? ", or give a token, which raises the limit" : string.Empty)),
            _ when HubHttp.IsPassing(status) => new(HubFault.Unreachable, $"{host} is in trouble ({number}); try again later"),
            _ => new(HubFault.Refused, $"{host} refuses the request for {repo.Id} ({number}{(message is null ? string.Empty : $": {message}")})"),
        };
    }

    private static string Remedy => "HF_TOKEN, hf_hub_token, or the file $HF_HOME/token";

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) && values.FirstOrDefault() is { Length: > 0 } value ? value : null;

    // {"error": "..."} is the hub's form; whatever else a proxy says is left out.
    private static async Task<string?> Message(HttpResponseMessage response, CancellationToken cancel)
    {
        const int shown = 300;
        if (response.Content.Headers.ContentType?.MediaType != "application/json")
        {
            return null;
        }

        try
        {
            using var json = await Json(response, cancel).ConfigureAwait(false);
            var text = json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("error", out var error)
                && error.ValueKind == JsonValueKind.String ? error.GetString() : null;
            return text?.Length > shown ? text[..shown] : text;
        }
        catch (Exception e) when (e is HubException or HttpRequestException or IOException)
        {
            return null;
        }
    }
}
