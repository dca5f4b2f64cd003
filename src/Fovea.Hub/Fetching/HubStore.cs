using Fovea.Hub.Cache;
using Fovea.Hub.Http;
using Fovea.Hub.Sites;

namespace Fovea.Hub.Fetching;

/// <summary>Hugging Face's hub and the cache that Python's client shares.</summary>
internal sealed class HubStore(HubSettings settings, HubHttp http, Connections connections, Func<string, long>? free = null) : IRepoStore
{
    private readonly HuggingFaceSite site = new(settings, http);
    private readonly HubAnswers answers = new(settings);

    public string CacheFolder => settings.CacheFolder;

    public async Task<string> Fetch(FetchRequest request, CancellationToken cancel)
    {
        var layout = new CacheLayout(settings.CacheFolder, request.Repo);
        var revision = request.Repo.Revision ?? request.Revision ?? site.DefaultRevision;
        HubException? silent = null;
        var commit = request.Agree($"the commit of {request.Repo.Id}", () =>
        {
            try
            {
                return RepoName.IsCommit(revision) && Whole(layout, request, revision) is not null ? revision
                    : settings.Offline ? null
                    : site.Commit(request.Repo, revision, cancel).GetAwaiter().GetResult();
            }
            catch (HubException e) when (e.LeavesCache || (e.Fault is HubFault.NoRepository or HubFault.Gated or HubFault.Token
                && layout.Commit(revision) is not null))
            {
                silent = e;
                return null;
            }
        });
        if (commit is null)
        {
            return FromCache(layout, request, revision, silent);
        }

        if (Whole(layout, request, commit) is { } there)
        {
            layout.Remember(revision, commit);
            return there;
        }

        using var alone = await FileLock.Take(layout.Lock(), cancel, () => request.Progress?.Report(
            new HubProgress(request.Repo, 0, 0, 0, "another process fetches it; waiting"))).ConfigureAwait(false);
        layout.MarkCache();
        var files = await Listing(layout, request.Repo, commit, cancel).ConfigureAwait(false);
        NoteMissing(layout, request, commit, files);
        var first = request.Files.First(request.Repo.Kind, files);
        await Bring(layout, request, commit, first, cancel).ConfigureAwait(false);
        var rest = request.Files.Then(request.Repo.Kind, files, name => Place(layout, commit, name));
        await Bring(layout, request, commit, rest, cancel).ConfigureAwait(false);
        if (first.Count + rest.Count == 0)
        {
            throw new HubException(HubFault.NoFile, $"{request.Repo.Id}@{revision} holds none of the files that are wanted; it has "
                + $"{files.Count} others ({string.Join(", ", files.Take(5).Select(file => file.Path))}{(files.Count > 5 ? ", ..." : string.Empty)})");
        }

        layout.Remember(revision, commit);
        return layout.Snapshot(commit);
    }

    /// <summary>What a revision's folder lacks of what is wanted, as far as can be known without the network; null where it has never been fetched.</summary>
    internal static IReadOnlyList<string>? Lacks(CacheLayout layout, FetchRequest request, string commit)
    {
        if (!Directory.Exists(layout.Snapshot(commit)))
        {
            return null;
        }

        if (TreeFile.Read(layout.Tree(commit)) is { } files)
        {
            var first = request.Files.First(request.Repo.Kind, files);
            var lacks = first.Where(file => Place(layout, commit, file.Path) is null).Select(file => file.Path).ToList();
            return lacks.Count > 0 ? lacks : [.. request.Files.Then(request.Repo.Kind, files, name => Place(layout, commit, name))
                .Where(file => Place(layout, commit, file.Path) is null).Select(file => file.Path)];
        }

        // Fetched by a client that keeps no listing: an index says what belongs to it, nothing does where a single file was meant.
        var index = Place(layout, commit, "model.safetensors.index.json") ?? Place(layout, commit, "pytorch_model.bin.index.json");
        return index is null || request.Repo.Kind == RepoKind.Dataset || request.Files.Include.Count > 0 ? []
            : [.. FileChoice.Shards(index).Where(shard => Place(layout, commit, shard) is null)];
    }

    private static string? Whole(CacheLayout layout, FetchRequest request, string commit) =>
        TreeFile.Read(layout.Tree(commit)) is not null && Lacks(layout, request, commit) is { Count: 0 } ? layout.Snapshot(commit) : null;

    private static string? Place(CacheLayout layout, string commit, string name) =>
        layout.Pointer(commit, name) is var place && File.Exists(place) ? place : null;

    private string FromCache(CacheLayout layout, FetchRequest request, string revision, HubException? silent)
    {
        var why = silent?.Message ?? (settings.Offline ? "HF_HUB_OFFLINE is set" : "the main process got no answer from the hub");
        var fault = silent?.Fault ?? HubFault.Offline;
        if (layout.Commit(revision) is not { } commit || Lacks(layout, request, commit) is not { } lacks)
        {
            throw new HubException(fault, $"{why}, and the cache {settings.CacheFolder} has no {request.Repo.Id}"
                + (Directory.Exists(layout.Snapshots) ? $" at revision '{revision}'" : string.Empty), silent);
        }

        if (lacks.Count > 0)
        {
            throw new HubException(fault, $"{why}, and {request.Repo.Id} in the cache {settings.CacheFolder} lacks "
                + $"{string.Join(", ", lacks.Take(3))}{(lacks.Count > 3 ? $" and {lacks.Count - 3} more" : string.Empty)}: fetch it again", silent);
        }

        if (silent is not null)
        {
            request.Progress?.Report(new HubProgress(request.Repo, 0, 0, 0, $"{why}; the cache has commit {commit[..8]}, which is used"));
        }

        return layout.Snapshot(commit);
    }

    private async Task<IReadOnlyList<HubFile>> Listing(CacheLayout layout, RepoName repo, string commit, CancellationToken cancel)
    {
        if (TreeFile.Read(layout.Tree(commit)) is { } kept)
        {
            return kept;
        }

        if (settings.Offline)
        {
            throw new HubException(HubFault.Offline, $"HF_HUB_OFFLINE is set, and {repo.Id}@{commit} is not whole in the cache {settings.CacheFolder}");
        }

        var files = await site.Files(repo, commit, cancel).ConfigureAwait(false);
        TreeFile.Write(layout.Tree(commit), files);
        return files;
    }

    private static void NoteMissing(CacheLayout layout, FetchRequest request, string commit, IReadOnlyList<HubFile> files)
    {
        var missing = request.Files.Include.Where(glob => glob.IsPath && files.All(file => file.Path != glob.Pattern)).Select(glob => glob.Pattern).ToList();
        foreach (var name in missing.Where(HubFile.IsSafe))
        {
            layout.RememberMissing(commit, name);
        }

        if (missing.Count > 0)
        {
            throw new HubException(HubFault.NoFile, $"{request.Repo.Id}@{commit[..8]} has no file {string.Join(", ", missing)}");
        }
    }

    private Task Bring(CacheLayout layout, FetchRequest request, string commit, IReadOnlyList<HubFile> wanted, CancellationToken cancel)
    {
        var files = wanted.Where(file => Place(layout, commit, file.Path) is null).ToList();
        foreach (var file in files.Where(file => File.Exists(layout.Blob(file))))
        {
            layout.Show(commit, file);
        }

        files.RemoveAll(file => Place(layout, commit, file.Path) is not null);
        var fetcher = new Fetcher(http, site, connections, free) { Explain = Explain };
        return fetcher.Bring(request, commit, settings.CacheFolder, files, file => $"{layout.Blob(file)}.fovea.incomplete", async (file, download) =>
        {
            using var held = await FileLock.Take(layout.Lock(file), cancel).ConfigureAwait(false);
            if (!File.Exists(layout.Blob(file)))
            {
                await download(layout.Blob(file)).ConfigureAwait(false);
            }

            layout.Show(commit, file);
        }, cancel);
    }

    private async Task<HubException> Explain(HttpResponseMessage response, RepoName repo, string commit, string path, CancellationToken cancel)
    {
        try
        {
            await answers.Check(response, repo, commit, cancel, path).ConfigureAwait(false);
            return new HubException(HubFault.Refused, $"{site.Host} answers {(int)response.StatusCode} for {path}");
        }
        catch (HubException e)
        {
            return e;
        }
    }
}
