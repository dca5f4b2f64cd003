using System.Text.Json;
using System.Text.RegularExpressions;
using Fovea.Hub.Http;

namespace Fovea.Hub.Sites;

/// <summary>The API of huggingface.co and of whatever speaks as it does (HF_ENDPOINT).</summary>
internal sealed partial class HuggingFaceSite(HubSettings settings, HubHttp http) : IHubSite
{
    private const int MostPages = 1000;
    private readonly HubAnswers answers = new(settings);

    public string Host => settings.Endpoint.Authority;

    public string DefaultRevision => "main";

    public async Task<string> Commit(RepoName repo, string revision, CancellationToken cancel)
    {
        using var response = await http.Ask(
            () => new HttpRequestMessage(HttpMethod.Get, Api(repo, $"revision/{Escape(revision)}")), cancel, patient: false).ConfigureAwait(false);
        await answers.Check(response, repo, revision, cancel).ConfigureAwait(false);
        using var json = await HubAnswers.Json(response, cancel).ConfigureAwait(false);
        return Text(json.RootElement, "sha") is { } commit && RepoName.IsCommit(commit)
            ? commit
            : throw new HubException(HubFault.Refused, $"{Host} names no commit for {repo.Id}@{revision}; is it a hub?");
    }

    public async Task<IReadOnlyList<HubFile>> Files(RepoName repo, string commit, CancellationToken cancel)
    {
        var files = new List<HubFile>();
        Uri? page = Api(repo, $"tree/{commit}?recursive=true&expand=false");
        for (var pages = 0; page is not null && pages < MostPages; pages++)
        {
            var address = page;
            using var response = await http.Ask(() => new HttpRequestMessage(HttpMethod.Get, address), cancel).ConfigureAwait(false);
            await answers.Check(response, repo, commit, cancel).ConfigureAwait(false);
            using var json = await HubAnswers.Json(response, cancel).ConfigureAwait(false);
            foreach (var entry in json.RootElement.ValueKind == JsonValueKind.Array ? json.RootElement.EnumerateArray() : default)
            {
                if (Text(entry, "type") == "file")
                {
                    files.Add(Read(repo, entry));
                }
            }

            page = Next(response, address);
        }

        return files;
    }

    public Uri Address(RepoName repo, string commit, string path)
    {
        var name = string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
        return new Uri(settings.Endpoint, $"{(repo.Kind == RepoKind.Dataset ? "datasets/" : string.Empty)}{repo.Id}/resolve/{Escape(commit)}/{name}");
    }

    internal static string Escape(string revision) => Uri.EscapeDataString(revision);

    private Uri Api(RepoName repo, string rest) => new(settings.Endpoint, $"api/{repo.Plural}/{repo.Id}/{rest}");

    // Link: <...>; rel="next". A next page elsewhere is none of the hub's.
    private Uri? Next(HttpResponseMessage response, Uri page) =>
        response.Headers.TryGetValues("Link", out var links) && links.Select(link => NextLink().Match(link)).FirstOrDefault(match => match.Success) is { } next
            && new Uri(page, next.Groups[1].Value) is var address && http.IsHub(address)
            ? address
            : null;

    private HubFile Read(RepoName repo, JsonElement entry)
    {
        var path = Text(entry, "path");
        var blob = Text(entry, "oid");
        var lfs = entry.TryGetProperty("lfs", out var stored) && stored.ValueKind == JsonValueKind.Object ? stored : default;
        var sha256 = lfs.ValueKind == JsonValueKind.Object ? Text(lfs, "oid") ?? Text(lfs, "sha256") : null;
        var sized = lfs.ValueKind == JsonValueKind.Object && lfs.TryGetProperty("size", out _) ? lfs : entry;
        if (path is null || !HubFile.IsSafe(path) || blob?.Length != 40 || !blob.All(char.IsAsciiHexDigit)
            || (sha256 is not null && (sha256.Length != 64 || !sha256.All(char.IsAsciiHexDigit)))
            || !sized.TryGetProperty("size", out var size) || size.ValueKind != JsonValueKind.Number || !size.TryGetInt64(out var bytes) || bytes < 0)
        {
            throw new HubException(HubFault.Refused, $"{Host} lists a file of {repo.Id} that cannot be kept: {entry.GetRawText()}");
        }

        return new HubFile(path, bytes, blob, sha256, Text(entry, "xetHash"));
    }

    private static string? Text(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(key, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    [GeneratedRegex("""<([^>]+)>\s*;\s*rel="?next"?""", RegexOptions.CultureInvariant)]
    private static partial Regex NextLink();
}
