using Fovea.Hub.Http;
using Fovea.Hub.Sites;

namespace Fovea.Hub.Fetching;

/// <summary>Brings many files of a commit, several at a time, after a look at the disk.</summary>
/// <param name="site">Where they come from.</param>
/// <param name="free">Gives the free bytes below a folder; null asks the system.</param>
internal sealed class Fetcher(HubHttp http, IHubSite site, Connections connections, Func<string, long>? free = null)
{
    /// <summary>What an answer means that is no content.</summary>
    public required Func<HttpResponseMessage, RepoName, string, string, CancellationToken, Task<HubException>> Explain { get; init; }

    /// <param name="folder">Below it everything comes to lie.</param>
    /// <param name="files">What is wanted and not there.</param>
    /// <param name="incomplete">Where a file grows.</param>
    /// <param name="bring">Runs a download under whatever lock the cache has, and shows what came.</param>
    public async Task Bring(
        FetchRequest request, string commit, string folder, IReadOnlyList<HubFile> files, Func<HubFile, string> incomplete,
        Func<HubFile, Func<string, Task>, Task> bring, CancellationToken cancel)
    {
        if (files.Count == 0)
        {
            return;
        }

        var unique = files.GroupBy(file => incomplete(file)).Select(group => group.First()).ToList();
        var there = unique.Sum(file => FileDownload.Left(incomplete(file), file.Size));
        var total = unique.Sum(file => file.Size);
        DiskRoom.Check(folder, total - there, free);
        var done = there;
        var said = -1L;
        void Came(long bytes)
        {
            var now = Interlocked.Add(ref done, bytes);

            // At most a few hundred reports.
            if (request.Progress is { } progress && (now == total || Math.Abs(now - Interlocked.Read(ref said)) >= Math.Max(total / 200, 1 << 20)))
            {
                Interlocked.Exchange(ref said, now);
                progress.Report(new HubProgress(request.Repo, now, total, files.Count));
            }
        }

        request.Progress?.Report(new HubProgress(request.Repo, done, total, files.Count));
        using var slots = new SemaphoreSlim(connections.Parallel);
        var options = new ParallelOptions { MaxDegreeOfParallelism = connections.Parallel, CancellationToken = cancel };
        await Parallel.ForEachAsync(files.OrderByDescending(file => file.Size), options, async (file, stop) => await bring(file, place =>
        {
            var download = new FileDownload(http, file, site.Address(request.Repo, commit, file.Path), incomplete(file), connections, slots)
            {
                Came = Came,
                Explain = response => Explain(response, request.Repo, commit, file.Path, stop),
            };
            return download.To(place, stop);
        }).ConfigureAwait(false)).ConfigureAwait(false);
    }
}
