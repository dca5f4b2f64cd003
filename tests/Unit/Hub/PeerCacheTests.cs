using System.Diagnostics;
using Fovea.Hub;

namespace Fovea.Tests.Unit.Hub;

/// <summary>
/// Our cache beside that of Python's huggingface_hub: the listing that it made is kept, and where the peer's Python is laid (bench/peer/setup.sh) both are
/// made again and found by the other. FOVEA_WRITE_GOLDENS=1 writes the listing anew.
/// </summary>
public sealed class PeerCacheTests : HubTest
{
    private const string Golden = "hub/cache.txt";
    private const string Folder = "data";
    private static readonly string Python = Path.Combine(TestFiles.Root, "bench", "peer", "python");
    private static readonly string Patterns = $"[{string.Join(", ", Needed.Select(name => $"'{name}'"))}]";

    private void Publish()
    {
        Hub.Add(Id).Commit("main", Files());
        Hub.Add("datasets/acme/rows").Commit("main", ($"{Folder}/train-00000-of-00001.parquet", Noise(5000)), ("README.md", Text("# Rows é\n")), ("über.jsonl",
            Text("{}\n")));
    }

    private async Task FetchAll()
    {
        await Fetch();
        await Fetch(Whole("acme/rows", RepoKind.Dataset));
    }

    private string Ask(string script, string cache, bool offline = false)
    {
        TestFiles.Require(CanRun(), "the peer's Python is not laid here (bench/peer/setup.sh)");
        var start = new ProcessStartInfo(Python, ["-c", "from huggingface_hub import *\n" + script])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
            Environment =
            {
                ["HF_ENDPOINT"] = Hub.Url, ["HF_HUB_CACHE"] = cache, ["HF_HUB_OFFLINE"] = offline ? "1" : "0", ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1",
                ["HF_HUB_DISABLE_TELEMETRY"] = "1",
            },
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        return output.Trim();
    }

    private static bool CanRun()
    {
        try
        {
            using var probe = Process.Start(new ProcessStartInfo(Python, ["-c", "import huggingface_hub"]) { RedirectStandardError = true })!;
            probe.WaitForExit();
            return probe.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    [Fact]
    public async Task Our_cache_has_the_files_links_and_contents_of_theirs()
    {
        Publish();
        await FetchAll();
        Assert.Equal(File.ReadAllText(TestFiles.Golden(Golden)), CacheListing.Of(Cache.Path));
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task The_kept_listing_is_what_they_make()
    {
        Publish();
        Ask($"snapshot_download('{Id}', allow_patterns={Patterns})\nsnapshot_download('acme/rows', repo_type='dataset')", Cache.Path);
        var listing = CacheListing.Of(Cache.Path);
        if (Environment.GetEnvironmentVariable("FOVEA_WRITE_GOLDENS") == "1")
        {
            File.WriteAllText(Path.Combine(TestFiles.Root, "tests", "goldens", Golden), listing);
        }

        Assert.Equal(File.ReadAllText(TestFiles.Golden(Golden)), listing);

        // And what they fetched is found without the network, and with it by one question.
        Hub.Requests.Clear();
        Assert.Equal(Needed, Below(await Fetch(offline: true)));
        Assert.Empty(Hub.Requests);
        await Fetch();
        Assert.Single(Hub.Requests);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task What_we_fetched_they_find_without_the_network()
    {
        Publish();
        var folder = await Fetch();
        await Fetch(Whole("acme/rows", RepoKind.Dataset));
        Hub.Requests.Clear();
        var answers = Ask($"""
            print(snapshot_download('{Id}', allow_patterns={Patterns}))
            print(hf_hub_download('{Id}', 'model-00001-of-00002.safetensors'))
            print(snapshot_download('acme/rows', repo_type='dataset'))
            print(len(scan_cache_dir().repos), scan_cache_dir().warnings)
            """, Cache.Path, offline: true).Split('\n');
        Assert.Equal(folder, answers[0]);
        Assert.Equal(Path.Combine(folder, "model-00001-of-00002.safetensors"), answers[1]);
        Assert.Contains("datasets--acme--rows", answers[2]);
        Assert.Equal("2 []", answers[3]);
        Assert.Empty(Hub.Requests);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Their_lock_and_ours_exclude_each_other()
    {
        var path = Cache.File("some.lock");
        var script = $"""
            from filelock import FileLock, Timeout
            lock = FileLock('{path}')
            try:
              lock.acquire(timeout=0)
              print('taken')
            except Timeout:
              print('held')
            """;
        using (await FileLock.Take(path, default))
        {
            Assert.Equal("held", Ask(script, Cache.Path));
        }

        Assert.Equal("taken", Ask(script, Cache.Path));

        // The process of theirs is gone, and its lock with it.
        Assert.NotNull(FileLock.TryTake(path));
    }
}
