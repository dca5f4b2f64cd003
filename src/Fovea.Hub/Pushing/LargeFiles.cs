using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Fovea.Hub.Fetching;
using Fovea.Hub.Http;

namespace Fovea.Hub.Pushing;

/// <summary>Uploads contents by git's protocol for large files: in one piece, or in the parts that the store asks for.</summary>
internal sealed class LargeFiles(HubSettings settings, HubHttp http, HubAnswers answers, RepoName repo, PushRequest request)
{
    private const string Type = "application/vnd.git-lfs+json";
    private const int Parallel = 4;
    private const int BatchFiles = 100;

    public async Task Upload(IReadOnlyList<(PushFile File, string Sha256)> files, CancellationToken cancel)
    {
        foreach (var batch in files.DistinctBy(file => file.Sha256).Chunk(BatchFiles))
        {
            using var answer = await Ask(batch, cancel).ConfigureAwait(false);
            var byId = batch.ToDictionary(file => file.Sha256, file => file.File);
            var objects = HubPusher.Objects(answer.RootElement, "objects").ToList();
            foreach (var refused in objects.Where(entry => entry.TryGetProperty("error", out _)))
            {
                var path = byId.GetValueOrDefault(HubPusher.Text(refused, "oid") ?? string.Empty)?.Path;
                throw new HubException(
                    HubFault.Refused, $"{settings.Endpoint.Authority} does not take {path}: {HubPusher.Text(refused.GetProperty("error"), "message")}");
            }

            // Without actions it is there already.
            var wanted = objects.Where(entry => entry.TryGetProperty("actions", out var actions) && actions.ValueKind == JsonValueKind.Object).ToList();
            var options = new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = cancel };
            await System.Threading.Tasks.Parallel.ForEachAsync(wanted, options, async (entry, stop) =>
            {
                var sha256 = HubPusher.Text(entry, "oid") ?? string.Empty;
                await One(byId[sha256], sha256, entry.GetProperty("actions"), stop).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }
    }

    private async Task<JsonDocument> Ask((PushFile File, string Sha256)[] batch, CancellationToken cancel)
    {
        var body = new Dictionary<string, object?>
        {
            ["operation"] = "upload",
            ["transfers"] = new List<object?> { "basic", "multipart" },
            ["objects"] = batch.Select(file => new Dictionary<string, object?> { ["oid"] = file.Sha256, ["size"] = file.File.Size }).ToList(),
            ["hash_algo"] = "sha256",
            ["ref"] = new Dictionary<string, object?> { ["name"] = request.Revision },
        };
        var address = new Uri(settings.Endpoint, $"{(repo.Kind == RepoKind.Dataset ? "datasets/" : string.Empty)}{repo.Id}.git/info/lfs/objects/batch");
        using var response = await http.Ask(() => Lfs(address, body), cancel).ConfigureAwait(false);
        await answers.Check(response, repo, request.Revision, cancel).ConfigureAwait(false);
        return await HubAnswers.Json(response, cancel).ConfigureAwait(false);
    }

    private async Task One(PushFile file, string sha256, JsonElement actions, CancellationToken cancel)
    {
        if (!actions.TryGetProperty("upload", out var upload) || HubPusher.Text(upload, "href") is not { } href)
        {
            return;
        }

        var header = upload.TryGetProperty("header", out var given) && given.ValueKind == JsonValueKind.Object ? given : default;
        var headers = header.ValueKind == JsonValueKind.Object
            ? header.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.ToString())
            : [];
        if (headers.TryGetValue("chunk_size", out var text) && long.TryParse(text, CultureInfo.InvariantCulture, out var chunk) && chunk > 0)
        {
            await Parts(file, sha256, new Uri(settings.Endpoint, href), headers, chunk, cancel).ConfigureAwait(false);
        }
        else
        {
            using var done = await Put(file, new Uri(settings.Endpoint, href), 0, file.Size, headers, cancel).ConfigureAwait(false);
        }

        if (actions.TryGetProperty("verify", out var verify) && HubPusher.Text(verify, "href") is { } check)
        {
            var body = new Dictionary<string, object?> { ["oid"] = sha256, ["size"] = file.Size };
            using var verified = await http.Ask(() => HubPusher.Json(new Uri(settings.Endpoint, check), body), cancel).ConfigureAwait(false);
            await answers.Check(verified, repo, request.Revision, cancel, file.Path).ConfigureAwait(false);
        }

        request.Say($"{repo.Id}: {file.Path} uploaded, {DiskRoom.Size(file.Size)}");
    }

    private async Task Parts(PushFile file, string sha256, Uri complete, Dictionary<string, string> headers, long chunk, CancellationToken cancel)
    {
        var addresses = headers.Where(entry => entry.Key.Length > 0 && entry.Key.All(char.IsAsciiDigit))
            .OrderBy(entry => int.Parse(entry.Key, CultureInfo.InvariantCulture)).Select(entry => new Uri(settings.Endpoint, entry.Value)).ToList();
        if (addresses.Count != (file.Size + chunk - 1) / chunk)
        {
            throw new HubException(HubFault.Refused, $"{settings.Endpoint.Authority} names {addresses.Count} places for the parts of {file.Path}, which has "
                + $"{(file.Size + chunk - 1) / chunk}");
        }

        var parts = new List<object?>();
        for (var i = 0; i < addresses.Count; i++)
        {
            using var response = await Put(file, addresses[i], i * chunk, Math.Min(chunk, file.Size - (i * chunk)), [], cancel).ConfigureAwait(false);
            var etag = response.Headers.TryGetValues("ETag", out var tags) ? tags.FirstOrDefault() : null;
            parts.Add(new Dictionary<string, object?>
            {
                ["partNumber"] = i + 1,
                ["etag"] = etag ?? throw new HubException(HubFault.Refused, $"{addresses[i].Host} confirms no part {i + 1} of {file.Path}"),
            });
        }

        var body = new Dictionary<string, object?> { ["oid"] = sha256, ["parts"] = parts };
        using var done = await http.Ask(() => Lfs(complete, body), cancel).ConfigureAwait(false);
        await answers.Check(done, repo, request.Revision, cancel, file.Path).ConfigureAwait(false);
    }

    private async Task<HttpResponseMessage> Put(
        PushFile file, Uri address, long from, long length, Dictionary<string, string> headers, CancellationToken cancel)
    {
        var response = await http.Ask(() =>
        {
            var content = new StreamContent(new PartStream(file.Open(), from, length));
            content.Headers.ContentLength = length;
            var put = new HttpRequestMessage(HttpMethod.Put, address) { Content = content };
            foreach (var (name, value) in headers)
            {
                if (!put.Headers.TryAddWithoutValidation(name, value))
                {
                    content.Headers.TryAddWithoutValidation(name, value);
                }
            }

            return put;
        }, cancel, slow: true).ConfigureAwait(false);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw new HubException(HubFault.Refused, $"{address.Host} does not take {file.Path} ({(int)response.StatusCode})");
        }
    }

    private static HttpRequestMessage Lfs(Uri address, Dictionary<string, object?> body)
    {
        var post = HubPusher.Json(address, body, Type);
        post.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(Type));
        return post;
    }
}
