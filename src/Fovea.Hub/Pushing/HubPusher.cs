using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Fovea.Hub.Fetching;
using Fovea.Hub.Http;

namespace Fovea.Hub.Pushing;

/// <summary>
/// Pushes files to Hugging Face's hub: the repository is created where it is not there, large contents go to the store beside git, and one commit names
/// everything. Until that commit nothing is seen of a push.
/// </summary>
internal sealed class HubPusher(HubSettings settings, HubHttp http)
{
    private const int BatchFiles = 256;
    private readonly HubAnswers answers = new(settings);

    /// <returns>The address of the commit, or of the repository where nothing had changed.</returns>
    /// <exception cref="HubException">The hub refuses.</exception>
    public async Task<string> Push(PushRequest request, CancellationToken cancel)
    {
        Ready(request);
        var repo = RepoName.Parse(request.Id, request.Kind);
        repo = repo.Owner is null ? repo with { Id = $"{await Account(cancel).ConfigureAwait(false)}/{repo.Id}" } : repo;
        await Create(repo, request, cancel).ConfigureAwait(false);
        var plans = await Plan(repo, request, cancel).ConfigureAwait(false);
        if (plans.Count == 0)
        {
            request.Say($"{repo.Id}: nothing has changed since the last push");
            return Page(repo).ToString();
        }

        var large = plans.Where(plan => plan.Large).ToList();
        if (large.Count > 0)
        {
            request.Say($"{repo.Id}: {large.Count} large files, {DiskRoom.Size(large.Sum(plan => plan.File.Size))}");
            await new LargeFiles(settings, http, answers, repo, request).Upload([.. large.Select(plan => (plan.File, plan.Sha256!))],
                cancel).ConfigureAwait(false);
        }

        var address = await Commit(repo, request, plans, cancel).ConfigureAwait(false);
        request.Say($"{repo.Id}: {plans.Count} files committed, {address}");
        return address;
    }

    private void Ready(PushRequest request)
    {
        if (settings.Offline)
        {
            throw new HubException(HubFault.Offline, "HF_HUB_OFFLINE is set: nothing can be pushed");
        }

        if (settings.Token is null)
        {
            throw new HubException(HubFault.Token, $"to push to {settings.Endpoint.Authority}, give a token that may write "
                + $"(HF_TOKEN, hub_token, or the file $HF_HOME/token); make one at {new Uri(settings.Endpoint, "settings/tokens")}");
        }

        if (request.Files.Count == 0)
        {
            throw new HubException(HubFault.NoFile, "there is no file to push");
        }
    }

    private Uri Page(RepoName repo) => new(settings.Endpoint, (repo.Kind == RepoKind.Dataset ? "datasets/" : string.Empty) + repo.Id);

    private Uri Api(RepoName repo, string rest) => new(settings.Endpoint, $"api/{repo.Plural}/{repo.Id}/{rest}");

    private async Task<string> Account(CancellationToken cancel)
    {
        using var response = await http.Ask(() => new HttpRequestMessage(HttpMethod.Get, new Uri(settings.Endpoint, "api/whoami-v2")),
            cancel).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new HubException(HubFault.Token, $"{settings.Endpoint.Authority} does not accept the token from {settings.TokenPlace}; make a new one");
        }

        using var json = await HubAnswers.Json(response, cancel).ConfigureAwait(false);
        return json.RootElement.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String ? name.GetString()!
            : throw new HubException(HubFault.Refused, $"{settings.Endpoint.Authority} does not say whose token it is: name the repository org/name");
    }

    private async Task Create(RepoName repo, PushRequest request, CancellationToken cancel)
    {
        var body = new Dictionary<string, object?> { ["name"] = repo.Name, ["organization"] = repo.Owner, ["type"] = repo.Plural[..^1] };
        if (request.Private is { } hidden)
        {
            body["visibility"] = hidden ? "private" : "public";
        }

        using var response = await http.Ask(() => Json(new Uri(settings.Endpoint, "api/repos/create"), body), cancel).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            // A token of one repository may not create any, and this one may be there.
            using var there = await http.Ask(() => new HttpRequestMessage(HttpMethod.Get, Api(repo, "revision/main")), cancel).ConfigureAwait(false);
            if (there.StatusCode != HttpStatusCode.OK)
            {
                throw new HubException(HubFault.Token, $"the token from {settings.TokenPlace} may not create {repo.Id} on {settings.Endpoint.Authority}: "
                    + "check the owner's name, and that the token may write");
            }
        }
        else if (response.StatusCode != HttpStatusCode.Conflict)
        {
            await answers.Check(response, repo, null, cancel).ConfigureAwait(false);
            request.Say($"{repo.Id}: created");
        }

        if (request.Revision != "main")
        {
            using var branch = await http.Ask(
                () => Json(Api(repo, $"branch/{Uri.EscapeDataString(request.Revision)}"), new Dictionary<string, object?>()), cancel).ConfigureAwait(false);
            if (branch.StatusCode != HttpStatusCode.Conflict)
            {
                await answers.Check(branch, repo, request.Revision, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Asks how each file is to be stored, and leaves out what the hub has or ignores.</summary>
    private async Task<List<Planned>> Plan(RepoName repo, PushRequest request, CancellationToken cancel)
    {
        var plans = new List<Planned>();
        foreach (var batch in request.Files.Chunk(BatchFiles))
        {
            var body = new Dictionary<string, object?>
            {
                ["files"] = batch.Select(file => new Dictionary<string, object?>
                {
                    ["path"] = file.Path, ["sample"] = Convert.ToBase64String(file.Sample()), ["size"] = file.Size,
                }).ToList(),
            };
            using var response = await http.Ask(
                () => Json(Api(repo, $"preupload/{Uri.EscapeDataString(request.Revision)}"), body), cancel).ConfigureAwait(false);
            await answers.Check(response, repo, request.Revision, cancel).ConfigureAwait(false);
            using var json = await HubAnswers.Json(response, cancel).ConfigureAwait(false);
            var modes = Objects(json.RootElement, "files").Where(entry => Text(entry, "path") is not null).ToDictionary(entry => Text(entry, "path")!);
            foreach (var file in batch)
            {
                if (!modes.TryGetValue(file.Path, out var mode))
                {
                    throw new HubException(HubFault.Refused, $"{settings.Endpoint.Authority} does not say how {file.Path} is to be stored");
                }

                var large = Text(mode, "uploadMode") == "lfs" && file.Size > 0; // an empty object cannot be stored
                var sha256 = large ? await file.Sha256(cancel).ConfigureAwait(false) : null;
                var ignored = mode.TryGetProperty("shouldIgnore", out var ignore) && ignore.ValueKind == JsonValueKind.True;
                if (!ignored && Text(mode, "oid") is var there && (there is null || there != (sha256 ?? await file.GitId(cancel).ConfigureAwait(false))))
                {
                    plans.Add(new Planned(file, large, sha256));
                }
            }
        }

        return plans;
    }

    private async Task<string> Commit(RepoName repo, PushRequest request, List<Planned> plans, CancellationToken cancel)
    {
        var body = new StringBuilder();
        void Line(string key, Dictionary<string, object?> value) =>
            body.Append(PythonJson.Line(new Dictionary<string, object?> { ["key"] = key, ["value"] = value })).Append('\n');
        Line("header", new() { ["summary"] = request.Message, ["description"] = string.Empty });
        foreach (var plan in plans)
        {
            if (plan.Large)
            {
                Line("lfsFile", new() { ["path"] = plan.File.Path, ["algo"] = "sha256", ["oid"] = plan.Sha256, ["size"] = plan.File.Size });
            }
            else
            {
                Line("file", new() { ["content"] = Convert.ToBase64String(plan.File.Bytes()), ["path"] = plan.File.Path, ["encoding"] = "base64" });
            }
        }

        // Once: a commit whose answer was lost would be made twice.
        HttpResponseMessage response;
        try
        {
            response = await http.Once(
                () => Post(Api(repo, $"commit/{Uri.EscapeDataString(request.Revision)}"), body.ToString(), "application/x-ndjson"), cancel, slow: true)
                .ConfigureAwait(false);
        }
        catch (Exception e) when (HubHttp.IsFailure(e, cancel))
        {
            throw new HubException(HubFault.Unreachable, $"{settings.Endpoint.Authority} gave no answer to the commit, which may have been made or not: "
                + $"look at {Page(repo)}; pushing again commits only what is not there", e);
        }

        using (response)
        {
            await answers.Check(response, repo, request.Revision, cancel).ConfigureAwait(false);
            using var json = await HubAnswers.Json(response, cancel).ConfigureAwait(false);
            return Text(json.RootElement, "commitUrl") ?? Page(repo).ToString();
        }
    }

    internal static HttpRequestMessage Json(Uri address, Dictionary<string, object?> body, string type = "application/json") =>
        Post(address, PythonJson.Line(body), type);

    private static HttpRequestMessage Post(Uri address, string body, string type) => new(HttpMethod.Post, address)
    {
        Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = new MediaTypeHeaderValue(type) } },
    };

    internal static IEnumerable<JsonElement> Objects(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(key, out var list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray().Where(entry => entry.ValueKind == JsonValueKind.Object)
            : [];

    internal static string? Text(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(key, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private sealed record Planned(PushFile File, bool Large, string? Sha256);
}
