using System.Net;
using System.Text.Json;
using Fovea.Hub.Http;

namespace Fovea.Hub.Sites;

/// <summary>The API of modelscope.cn. It lists a branch's files with their hashes; the branch's name stands for a commit.</summary>
internal sealed class ModelScopeSite(HubSettings settings, HubHttp http) : IHubSite
{
    private const int PageSize = 200;
    private const int MostPages = 5000;

    public string Host => settings.ModelScopeEndpoint.Authority;

    public string DefaultRevision => "master";

    public async Task<string> Commit(RepoName repo, string revision, CancellationToken cancel)
    {
        using var json = await Get(repo, "revisions", cancel, patient: false).ConfigureAwait(false);
        var map = Property(json.RootElement, "Data", "RevisionMap");
        var names = ((string[])["Branches", "Tags"]).SelectMany(kind => Items(Property(map, kind)))
            .Select(item => Text(item, "Revision")).OfType<string>().ToList();
        return names.Count == 0 || names.Contains(revision) || RepoName.IsCommit(revision)
            ? revision
            : throw new HubException(HubFault.NoRevision, $"{repo.Id} on {Host} has no branch or tag '{revision}'; it has {string.Join(", ", names.Take(10))}");
    }

    public async Task<IReadOnlyList<HubFile>> Files(RepoName repo, string commit, CancellationToken cancel)
    {
        var files = new List<HubFile>();
        var datasets = repo.Kind == RepoKind.Dataset;
        for (var page = 1; page <= MostPages; page++)
        {
            var rest = $"repo/{(datasets ? "tree" : "files")}?Revision={Uri.EscapeDataString(commit)}&Recursive=True";
            using var json = await Get(repo, datasets ? $"{rest}&PageNumber={page}&PageSize={PageSize}" : rest, cancel).ConfigureAwait(false);
            var data = Property(json.RootElement, "Data");
            var listed = Items(data.ValueKind == JsonValueKind.Array ? data : Property(data, "Files")).ToList();
            files.AddRange(listed.Where(entry => Text(entry, "Type") != "tree").Select(entry => Read(repo, entry)));
            if (!datasets || listed.Count < PageSize)
            {
                break;
            }
        }

        return files;
    }

    public Uri Address(RepoName repo, string commit, string path) =>
        Api(repo, $"repo?Revision={Uri.EscapeDataString(commit)}&FilePath={Uri.EscapeDataString(path)}");

    private Uri Api(RepoName repo, string rest) => new(settings.ModelScopeEndpoint, $"api/v1/{repo.Plural}/{repo.Id}/{rest}");

    private async Task<JsonDocument> Get(RepoName repo, string rest, CancellationToken cancel, bool patient = true)
    {
        using var response = await http.Ask(() => new HttpRequestMessage(HttpMethod.Get, Api(repo, rest)), cancel, patient).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw Explain(response.StatusCode, repo);
        }

        return await HubAnswers.Json(response, cancel).ConfigureAwait(false);
    }

    /// <summary>The error that an answer stands for.</summary>
    internal HubException Explain(HttpStatusCode status, RepoName repo)
    {
        const string remedy = "MODELSCOPE_API_TOKEN or ms_hub_token";
        return (int)status switch
        {
            404 or 400 => new(HubFault.NoRepository, $"{Host} has no {repo.Plural[..^1]} {repo.Id} that is public: check the name, or give a token ({remedy})"),
            401 or 403 => new(HubFault.Token, settings.ModelScopeToken is null
                ? $"{repo.Id} on {Host} is not public: give a token ({remedy})"
                : $"{Host} does not let the account of the token read {repo.Id}: ask for access on its page, or give another token ({remedy})"),
            _ when HubHttp.IsPassing(status) => new(HubFault.Unreachable, $"{Host} is in trouble ({(int)status}); try again later"),
            _ => new(HubFault.Refused, $"{Host} refuses the request for {repo.Id} ({(int)status})"),
        };
    }

    private HubFile Read(RepoName repo, JsonElement entry)
    {
        var path = Text(entry, "Path") ?? Text(entry, "Name");
        var sha256 = Text(entry, "Sha256") is { Length: > 0 } given ? given.ToLowerInvariant() : null;
        if (path is null || !HubFile.IsSafe(path) || (sha256 is not null && (sha256.Length != 64 || !sha256.All(char.IsAsciiHexDigit)))
            || Property(entry, "Size") is not { ValueKind: JsonValueKind.Number } number || !number.TryGetInt64(out var size) || size < 0)
        {
            throw new HubException(HubFault.Refused, $"{Host} lists a file of {repo.Id} that cannot be kept: {entry.GetRawText()}");
        }

        return new HubFile(path, size, BlobId: string.Empty, sha256); // git's own names are not listed
    }

    private static JsonElement Property(JsonElement value, params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(key, out value))
            {
                return default;
            }
        }

        return value;
    }

    private static IEnumerable<JsonElement> Items(JsonElement value) => value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [];

    private static string? Text(JsonElement value, string key) =>
        Property(value, key) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
