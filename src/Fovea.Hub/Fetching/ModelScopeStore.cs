using System.Globalization;
using System.Text.Json;
using Fovea.Hub.Http;
using Fovea.Hub.Sites;

namespace Fovea.Hub.Fetching;

/// <summary>
/// ModelScope and the cache of its client: plain files in a folder per branch (<c>models/owner--name/snapshots/master</c>), or in the older one
/// (<c>models/owner/name</c>, dots as <c>___</c>) where that is there already. A branch moves, so what is kept is compared with the listing each time.
/// </summary>
internal sealed class ModelScopeStore(HubSettings settings, HubHttp http, Connections connections, Func<string, long>? free = null) : IRepoStore
{
    private const string Marks = ".fovea.json";
    private readonly ModelScopeSite site = new(settings, http);

    public string CacheFolder => settings.ModelScopeFolder;

    public async Task<string> Fetch(FetchRequest request, CancellationToken cancel)
    {
        var revision = request.Repo.Revision ?? request.Revision ?? site.DefaultRevision;
        revision = revision == "main" ? site.DefaultRevision : revision;
        var folder = Folder(request.Repo, revision);
        var files = (IReadOnlyList<HubFile>?)null;
        HubException? silent = null;
        var answer = request.Agree($"the state of {request.Repo.Id}", () =>
        {
            try
            {
                if (settings.Offline)
                {
                    return null;
                }

                site.Commit(request.Repo, revision, cancel).GetAwaiter().GetResult();
                return "there";
            }
            catch (HubException e) when (e.LeavesCache)
            {
                silent = e;
                return null;
            }
        });
        if (answer is null)
        {
            var why = silent?.Message ?? "HF_HUB_OFFLINE is set";
            return Directory.Exists(folder) && Directory.EnumerateFiles(folder).Any() ? folder
                : throw new HubException(silent?.Fault ?? HubFault.Offline, $"{why}, and the cache {CacheFolder} has no {request.Repo.Id}", silent);
        }

        Directory.CreateDirectory(folder);
        using var alone = await FileLock.Take(LockPath(request.Repo, null), cancel, () => request.Progress?.Report(
            new HubProgress(request.Repo, 0, 0, 0, "another process fetches it; waiting"))).ConfigureAwait(false);
        files = await site.Files(request.Repo, revision, cancel).ConfigureAwait(false);
        var marks = ReadMarks(folder);
        var first = request.Files.First(request.Repo.Kind, files);
        await Bring(request, revision, folder, first, marks, cancel).ConfigureAwait(false);
        var rest = request.Files.Then(request.Repo.Kind, files, name => Path.Combine(folder, name) is var place && File.Exists(place) ? place : null);
        await Bring(request, revision, folder, rest, marks, cancel).ConfigureAwait(false);
        WriteMarks(folder, marks);
        return first.Count + rest.Count > 0 ? folder
            : throw new HubException(HubFault.NoFile, $"{request.Repo.Id}@{revision} holds none of the files that are wanted, but {files.Count} others");
    }

    /// <summary>Where a branch's files lie.</summary>
    internal string Folder(RepoName repo, string revision)
    {
        var older = Path.Combine(repo.Plural, repo.Owner ?? string.Empty, repo.Name.Replace(".", "___", StringComparison.Ordinal));
        return ((string[])[Path.Combine(CacheFolder, older), Path.Combine(CacheFolder, "hub", older)])
            .FirstOrDefault(folder => Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            ?? Path.Combine(CacheFolder, repo.Plural, repo.Id.Replace("/", "--", StringComparison.Ordinal), "snapshots", revision);
    }

    private string LockPath(RepoName repo, string? file) => Path.Combine(
        CacheFolder, ".lock", $"{repo.Plural[..^1]}_{repo.Id.Replace("/", "___", StringComparison.Ordinal)}"
            + (file is null ? "_fovea" : $"_{file.Replace("/", "___", StringComparison.Ordinal).Replace('.', '_')}") + ".lock");

    private async Task Bring(
        FetchRequest request, string revision, string folder, IReadOnlyList<HubFile> wanted, Dictionary<string, string> marks, CancellationToken cancel)
    {
        var missing = new List<HubFile>();
        foreach (var file in wanted)
        {
            if (!await IsThere(folder, file, marks, cancel).ConfigureAwait(false))
            {
                missing.Add(file);
            }
        }

        var fetcher = new Fetcher(http, site, connections, free)
        {
            Explain = (response, repo, _, _, _) => Task.FromResult(site.Explain(response.StatusCode, repo)),
        };
        await fetcher.Bring(request, revision, folder, missing, file => $"{Path.Combine(folder, file.Path)}.fovea.incomplete", async (file, download) =>
        {
            using var held = await FileLock.Take(LockPath(request.Repo, file.Path), cancel).ConfigureAwait(false);
            await download(Path.Combine(folder, file.Path)).ConfigureAwait(false);
        }, cancel).ConfigureAwait(false);
        foreach (var file in missing)
        {
            marks[file.Path] = Mark(folder, file);
        }
    }

    // Hashing gigabytes at every start would take long: what was found right once, and was not touched since, is right.
    private static async Task<bool> IsThere(string folder, HubFile file, Dictionary<string, string> marks, CancellationToken cancel)
    {
        var place = new FileInfo(Path.Combine(folder, file.Path));
        if (!place.Exists || place.Length != file.Size)
        {
            return false;
        }

        if (marks.GetValueOrDefault(file.Path) == Mark(folder, file))
        {
            return true;
        }

        var content = place.OpenRead();
        await using (content.ConfigureAwait(false))
        {
            if (file.Sha256 is not null && await FileDownload.HashOf(file, content, cancel).ConfigureAwait(false) == false)
            {
                return false;
            }
        }

        marks[file.Path] = Mark(folder, file);
        return true;
    }

    private static string Mark(string folder, HubFile file) => string.Create(
        CultureInfo.InvariantCulture, $"{file.Sha256 ?? "-"} {file.Size} {File.GetLastWriteTimeUtc(Path.Combine(folder, file.Path)).Ticks}");

    private static Dictionary<string, string> ReadMarks(string folder)
    {
        try
        {
            using var json = JsonFile.ReadObject(Path.Combine(folder, Marks));
            return json.RootElement.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.String)
                .ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
        }
        catch (ConfigException)
        {
            return [];
        }
    }

    private static void WriteMarks(string folder, Dictionary<string, string> marks) =>
        AtomicFile.WriteText(Path.Combine(folder, Marks), PythonJson.Pretty(marks.ToDictionary(mark => mark.Key, mark => (object?)mark.Value)));
}
