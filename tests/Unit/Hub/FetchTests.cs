using Fovea.Hub;
using Fovea.Hub.Cache;
using Fovea.Hub.Fetching;

namespace Fovea.Tests.Unit.Hub;

/// <summary>What is fetched of a repository, and where it comes to lie.</summary>
public sealed class FetchTests : HubTest
{
    [Fact]
    public async Task Only_what_a_model_needs_is_fetched()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var folder = await Fetch();
        Assert.Equal(Path.Combine(Cache.Path, "models--acme--tiny-vl", "snapshots", commit), folder);
        Assert.Equal(Needed, Below(folder));
        foreach (var (path, content) in Files().Where(file => Needed.Contains(file.Item1)))
        {
            Assert.Equal(content, File.ReadAllBytes(Path.Combine(folder, path)));
        }

        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Cache.Path, "models--acme--tiny-vl", "blobs"), "*.incomplete"));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Cache.Path, "models--acme--tiny-vl", "blobs"), "*.ranges"));
    }

    [Fact]
    public async Task Contents_are_kept_once_and_linked_relatively()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var folder = await Fetch();
        var file = Hub.Repos[Id].Commits[commit];
        Assert.Equal($"../../blobs/{file["config.json"].BlobId}", new FileInfo(Path.Combine(folder, "config.json")).LinkTarget);
        Assert.Equal(
            $"../../../blobs/{file["additional_chat_templates/tools.jinja"].BlobId}",
            new FileInfo(Path.Combine(folder, "additional_chat_templates/tools.jinja")).LinkTarget);
        Assert.Equal(
            $"../../blobs/{file["model-00001-of-00002.safetensors"].Sha256}",
            new FileInfo(Path.Combine(folder, "model-00001-of-00002.safetensors")).LinkTarget);
        Assert.Equal(commit, File.ReadAllText(Path.Combine(Cache.Path, "models--acme--tiny-vl", "refs", "main")));
    }

    [Fact]
    public async Task What_is_there_costs_one_question()
    {
        Hub.Add(Id).Commit("main", Files());
        await Fetch();
        Hub.Requests.Clear();
        await Fetch();
        Assert.Equal(["/api/models/acme/tiny-vl/revision/main"], Hub.Requests.Select(request => request.Path));
    }

    [Fact]
    public async Task A_whole_commit_costs_none()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var folder = await Fetch();
        Hub.Requests.Clear();
        Assert.Equal(folder, await Fetch(new FetchRequest(RepoName.Parse(Id), commit)));
        Assert.Equal(folder, await Fetch(new FetchRequest(RepoName.Parse($"{Id}@{commit}"))));
        Assert.Empty(Hub.Requests);
    }

    [Fact]
    public async Task A_new_commit_fetches_what_changed()
    {
        Hub.Add(Id).Commit("main", Files());
        var old = await Fetch();
        var changed = Files();
        changed[4] = (changed[4].Item1, Text("""{"temperature": 1}"""));
        Hub.Add(Id).Commit("main", changed);
        Hub.Requests.Clear();
        var folder = await Fetch();
        Assert.NotEqual(old, folder);
        Assert.Equal(Needed, Below(folder));
        Assert.EndsWith("/generation_config.json", Assert.Single(Hub.Contents).Path);
        Assert.Equal(Needed, Below(old));
    }

    [Theory]
    [InlineData("v1.0")]
    [InlineData("refs/pr/1")]
    public async Task A_tag_or_another_branch_is_a_revision(string revision)
    {
        Hub.Add(Id).Commit("main", ("config.json", Text("{}")));
        var commit = Hub.Add(Id).Commit(revision, ("config.json", Text("""{"old": 1}""")));
        var folder = await Fetch(new FetchRequest(RepoName.Parse(Id), revision));
        Assert.Equal(commit, Path.GetFileName(folder));
        Assert.Equal(commit, File.ReadAllText(Path.Combine(Cache.Path, "models--acme--tiny-vl", "refs", revision)));
    }

    [Theory]
    [InlineData("model.safetensors pytorch_model.bin model.fp16.safetensors", "model.safetensors")]
    [InlineData("pytorch_model.bin training_args.bin", "pytorch_model.bin")]
    [InlineData("adapter_config.json adapter_model.safetensors adapter_model.bin optimizer.pt", "adapter_config.json adapter_model.safetensors")]
    [InlineData("adapter_config.json adapter_model.bin", "adapter_config.json adapter_model.bin")]
    [InlineData("llm_512.pth README.md", "llm_512.pth")]
    public async Task Weights_are_chosen_as_loaders_choose_them(string files, string chosen)
    {
        Hub.Add(Id).Commit("main", [("config.json", Text("{}")), .. files.Split(' ').Select((name, i) => (name, name.EndsWith(".json") ? Text("{}")
            : Noise(50, (ulong)i)))]);
        Assert.Equal(chosen.Split(' ').Append("config.json").Order(StringComparer.Ordinal), Below(await Fetch()));
    }

    [Fact]
    public async Task Code_is_left_where_no_configuration_names_it()
    {
        Hub.Add(Id).Commit("main", ("config.json", Text("{}")), ("convert.py", Text("1")), ("model.safetensors", Noise(10)));
        Assert.Equal(["config.json", "model.safetensors"], Below(await Fetch()));
    }

    [Fact]
    public async Task Patterns_choose_as_they_do_in_Python()
    {
        Hub.Add(Id).Commit("main", Files());
        var folder = await Fetch(new FetchRequest(RepoName.Parse(Id))
        {
            Files = new FileChoice { Include = Glob.All(["*.json", "onnx/", "model-0000[13]*"]), Exclude = Glob.All(["tokenizer*", "*index.json"]) },
        });
        Assert.Equal(["config.json", "generation_config.json", "model-00001-of-00002.safetensors", "onnx/model.onnx", "preprocessor_config.json"],
            Below(folder));
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_said_and_noted()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var error = await Fails(Fetch(new FetchRequest(RepoName.Parse(Id)) { Files = new FileChoice { Include = Glob.All(["none.json"]) } }));
        Assert.Equal(HubFault.NoFile, error.Fault);
        Assert.Contains("none.json", error.Message);
        Assert.True(File.Exists(Path.Combine(Cache.Path, "models--acme--tiny-vl", ".no_exist", commit, "none.json")));
    }

    [Fact]
    public async Task A_dataset_is_fetched_whole()
    {
        Hub.Add("datasets/acme/rows").Commit("main", ("rows/train.parquet", Noise(500)), ("README.md", Text("x")), (".gitattributes", Text("")));
        var folder = await Fetch(new FetchRequest(RepoName.Parse("acme/rows", RepoKind.Dataset)));
        Assert.Contains("datasets--acme--rows", folder);
        Assert.Equal(["README.md", "rows/train.parquet"], Below(folder));
    }

    [Fact]
    public async Task A_long_listing_comes_in_pages()
    {
        Hub.PageSize = 3;
        Hub.Add(Id).Commit("main", Files());
        Assert.Equal(Needed, Below(await Fetch()));
        Assert.True(Hub.Requests.Count(request => request.Path.Contains("/tree/")) > 5);
    }

    [Fact]
    public async Task Offline_the_cache_answers()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var folder = await Fetch();
        Hub.Requests.Clear();
        Assert.Equal(folder, await Fetch(offline: true));
        Assert.Equal(folder, await Fetch(new FetchRequest(RepoName.Parse(Id), commit), offline: true));
        Assert.Empty(Hub.Requests);
        var never = await Fails(Fetch(new FetchRequest(RepoName.Parse("acme/other")), offline: true));
        Assert.Equal($"HF_HUB_OFFLINE is set, and the cache {Cache.Path} has no acme/other", never.Message);
        var revision = await Fails(Fetch(new FetchRequest(RepoName.Parse(Id), "v2"), offline: true));
        Assert.EndsWith("has no acme/tiny-vl at revision 'v2'", revision.Message);
        File.Delete(Path.Combine(folder, "model-00002-of-00002.safetensors"));
        var lacks = await Fails(Fetch(offline: true));
        Assert.Contains("lacks model-00002-of-00002.safetensors", lacks.Message);
    }

    [Fact]
    public async Task A_hub_that_is_away_leaves_the_cache()
    {
        Hub.Add(Id).Commit("main", Files());
        var folder = await Fetch();
        Hub.Fault = _ => HubReply.Error(503);
        var notes = new List<string?>();
        var request = new FetchRequest(RepoName.Parse(Id)) { Progress = new Taker(progress => notes.Add(progress.Note)) };
        Assert.Equal(folder, await Fetch(request));
        Assert.Contains(notes, note => note?.Contains("is in trouble (503)") == true && note.Contains("which is used"));
        Hub.Dispose();
        Assert.Equal(folder, await Fetch(request));
    }

    [Fact]
    public async Task All_processes_of_a_run_take_the_commit_of_one()
    {
        var old = Hub.Add(Id).Commit("main", ("config.json", Text("{}")));
        Hub.Add(Id).Commit("main", ("config.json", Text("""{"new": 1}""")));
        var folder = await Fetch(new FetchRequest(RepoName.Parse(Id)) { Agree = (_, _) => old });
        Assert.Equal(old, Path.GetFileName(folder));
    }

    [Fact]
    public async Task Two_fetch_at_once_and_every_content_comes_once()
    {
        Hub.Add(Id).Commit("main", Files());
        var folders = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Fetch()));
        Assert.Single(folders.Distinct());
        Assert.Equal(Needed, Below(folders[0]));
        var parts = Hub.Contents.Where(request => request.Elsewhere).Select(request => (request.Path, request.Range?.From)).ToList();
        Assert.Equal(parts.Distinct().Count(), parts.Count);
    }

    [Fact]
    public async Task A_lock_of_another_process_is_waited_for()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var layout = new CacheLayout(Cache.Path, RepoName.Parse(Id));
        var file = Hub.Repos[Id].Commits[commit]["tokenizer.json"];
        var entry = new HubFile("tokenizer.json", file.Content.Length, file.BlobId);
        var held = await FileLock.Take(layout.Lock(entry), default);
        var fetch = Fetch();
        Assert.NotSame(fetch, await Task.WhenAny(fetch, Task.Delay(300)));

        // The other one brings it meanwhile.
        File.WriteAllBytes(layout.Blob(entry), file.Content);
        held.Dispose();
        Assert.Equal(Needed, Below(await fetch));
        Assert.DoesNotContain(Hub.Contents, request => request.Path.EndsWith("tokenizer.json", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_full_disk_is_found_before_anything_comes()
    {
        Hub.Add(Id).Commit("main", Files());
        using var client = Client(free: _ => 200_000);
        var error = await Fails(client.Fetch(new FetchRequest(RepoName.Parse(Id)), default));
        Assert.Equal(HubFault.NoRoom, error.Fault);
        Assert.Contains("has 200 kB free, and 450 kB are needed", error.Message);
        Assert.DoesNotContain(Hub.Contents, request => request.Elsewhere);
    }

    [Fact]
    public async Task Progress_ends_at_the_total()
    {
        Hub.Add(Id).Commit("main", Files(4_000_000));
        var reports = new List<HubProgress>();
        await Fetch(new FetchRequest(RepoName.Parse(Id)) { Progress = new Taker(reports.Add) });
        Assert.Equal(reports[^1].Total, reports[^1].Done);
        Assert.Equal(6_000_017, reports[^1].Total);
        Assert.True(reports.Count > 4);
    }

    [Theory]
    [InlineData("../../x")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../x")]
    public async Task A_listing_that_leaves_its_folder_is_refused(string path)
    {
        Hub.Add(Id).Commit("main", ("config.json", Text("{}")), (path, Text("x")));
        Assert.Contains("cannot be kept", (await Fails(Fetch(Whole()))).Message);
        Assert.False(Directory.Exists(Path.Combine(Cache.Path, "models--acme--tiny-vl", "snapshots")));
    }

    private sealed class Taker(Action<HubProgress> take) : IProgress<HubProgress>
    {
        public void Report(HubProgress value)
        {
            lock (take)
            {
                take(value);
            }
        }
    }
}
