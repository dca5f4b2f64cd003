using Fovea.Hub;
using Fovea.Hub.Fetching;

namespace Fovea.Tests.Unit.Hub;

/// <summary>Tokens, gates and names.</summary>
public sealed class AccessTests : HubTest
{
    [Fact]
    public async Task The_token_goes_to_the_hub_and_nowhere_else()
    {
        Hub.Add(Id).Commit("main", Files());
        Hub.Repos[Id].Private = true;
        await Fetch(token: FakeHub.Token);
        Assert.All(Hub.Requests, request => Assert.Equal(request.Elsewhere ? null : $"Bearer {FakeHub.Token}", request.Header("authorization")));
        Assert.Contains(Hub.Requests, request => request.Elsewhere);
        foreach (var file in Directory.EnumerateFiles(Cache.Path, "*", SearchOption.AllDirectories))
        {
            Assert.DoesNotContain(FakeHub.Token, File.ReadAllText(file));
        }
    }

    [Fact]
    public async Task Without_a_token_none_is_sent()
    {
        Hub.Add(Id).Commit("main", Files());
        await Fetch();
        Assert.All(Hub.Requests, request => Assert.Null(request.Header("authorization")));
    }

    [Fact]
    public async Task A_missing_repository_is_said_with_the_remedy()
    {
        var error = await Fails(Fetch(new FetchRequest(RepoName.Parse("acme/none"))));
        Assert.Equal(HubFault.NoRepository, error.Fault);
        Assert.Contains("has no repository acme/none that is public: check the name, or give a token if it is private (HF_TOKEN,", error.Message);
        error = await Fails(Fetch(new FetchRequest(RepoName.Parse("acme/none")), FakeHub.Token));
        Assert.Contains("has no repository acme/none that the token from HF_TOKEN may read", error.Message);
        Assert.DoesNotContain(FakeHub.Token, error.ToString());
    }

    [Fact]
    public async Task A_gated_repository_is_said_with_the_remedy()
    {
        Hub.Add(Id).Commit("main", Files());
        Hub.Repos[Id].Gated = true;
        var error = await Fails(Fetch());
        Assert.Equal(HubFault.Gated, error.Fault);
        Assert.Contains($"{Id} is gated: accept its conditions at {Hub.Url}/{Id}, then give a token", error.Message);
        error = await Fails(Fetch(token: FakeHub.Token));
        Assert.Contains("the account of the token (HF_TOKEN) has no access", error.Message);
    }

    [Fact]
    public async Task A_token_that_is_not_accepted_is_said()
    {
        Hub.Add(Id).Commit("main", Files());
        var error = await Fails(Fetch(token: "hf_expired"));
        Assert.Equal(HubFault.Token, error.Fault);
        Assert.Contains("does not accept the token from HF_TOKEN", error.Message);
        Assert.DoesNotContain("hf_expired", error.Message);
    }

    [Fact]
    public async Task A_missing_revision_is_said()
    {
        Hub.Add(Id).Commit("main", Files());
        var error = await Fails(Fetch(new FetchRequest(RepoName.Parse(Id), "v9")));
        Assert.Equal(HubFault.NoRevision, error.Fault);
        Assert.Contains("has no branch, tag or commit 'v9'", error.Message);
    }

    [Theory]
    [InlineData("Qwen/Qwen3-VL-2B-Instruct", true)]
    [InlineData("gpt2", true)]
    [InlineData("Qwen/Qwen3-VL@main", true)]
    [InlineData("openbmb/MiniCPM-V-2_6", true)]
    [InlineData("models/a/b", false)]
    [InlineData("/models/a", false)]
    [InlineData("./a", false)]
    [InlineData("../a", false)]
    [InlineData("a/", false)]
    [InlineData("a--b/c", false)]
    [InlineData("a/b..c", false)]
    [InlineData("a/b.git", false)]
    [InlineData("-a/b", false)]
    [InlineData("a b/c", false)]
    [InlineData("a/b@../../x", false)]
    [InlineData("a/b@", false)]
    [InlineData("", false)]
    public void Names_are_told_from_paths(string text, bool name) => Assert.Equal(name, RepoName.TryParse(text) is not null);

    [Fact]
    public void The_environment_is_read_as_the_other_clients_read_it()
    {
        using var home = new TempFolder();
        HubSettings Read(params (string Name, string Value)[] variables) =>
            HubSettings.Read(name => variables.Append(("HOME", home.Path)).FirstOrDefault(v => v.Item1 == name).Item2);
        Assert.Equal(Path.Combine(home.Path, ".cache/huggingface/hub"), Read().CacheFolder);
        Assert.Equal("https://huggingface.co/", Read().Endpoint.ToString());
        Assert.Equal("/x/huggingface/hub", Read(("XDG_CACHE_HOME", "/x")).CacheFolder);
        Assert.Equal("/h/hub", Read(("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")).CacheFolder);
        Assert.Equal("/o", Read(("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/o")).CacheFolder);
        Assert.Equal("/c", Read(("HUGGINGFACE_HUB_CACHE", "/o"), ("HF_HUB_CACHE", "/c")).CacheFolder);
        Assert.Equal(Path.Combine(home.Path, "c"), Read(("HF_HUB_CACHE", "~/c")).CacheFolder);
        Assert.Equal("https://mirror.example/hf/", Read(("HF_ENDPOINT", "https://mirror.example/hf/")).Endpoint.ToString());
        Assert.True(Read(("HF_HUB_OFFLINE", "yes")).Offline);
        Assert.False(Read(("HF_HUB_OFFLINE", "0")).Offline);
        Assert.Null(Read().Token);
        home.Write(".cache/huggingface/token", " hf_file\n");
        Assert.Equal(("hf_file", home.File(".cache/huggingface/token")), (Read().Token, Read().TokenPlace));
        Assert.Equal("hf_v", Read(("HF_TOKEN", "hf_v\n")).Token);
        Assert.Null(Read(("HF_TOKEN", "hf_v"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")).Token);
        home.Write("elsewhere", "hf_other");
        Assert.Equal("hf_other", Read(("HF_TOKEN_PATH", home.File("elsewhere"))).Token);
        Assert.True(Read(("USE_MODELSCOPE_HUB", "1")).ModelScope);
        Assert.Equal("https://modelscope.cn/", Read().ModelScopeEndpoint.ToString());
        Assert.Equal(Path.Combine(home.Path, ".cache/modelscope"), Read().ModelScopeFolder);
        Assert.Contains("HF_ENDPOINT", Assert.Throws<ConfigException>(() => Read(("HF_ENDPOINT", "hub.local"))).Message);
    }

    [Fact]
    public async Task ModelScope_speaks_its_own_protocol()
    {
        Hub.Add(Id).Commit("master", Files());
        Hub.Repos[Id].Private = true;
        var settings = Hub.Settings(Cache.Path) with { ModelScope = true, ModelScopeFolder = Cache.Path, ModelScopeToken = FakeHub.Token };
        using var client = new HubClient(settings, new Connections(4, 64 << 10, 8 << 10), (_, _) => Task.CompletedTask);
        var request = new FetchRequest(RepoName.Parse(Id));
        var folder = await client.Fetch(request, default);
        Assert.Equal(Path.Combine(Cache.Path, "models", "acme--tiny-vl", "snapshots", "master"), folder);
        Assert.Equal(Needed.Prepend(".fovea.json").Order(StringComparer.Ordinal), Below(folder));
        Assert.Null(new FileInfo(Path.Combine(folder, "config.json")).LinkTarget);

        // What changed is fetched again, and what was touched.
        var changed = Files();
        changed[4] = (changed[4].Item1, Text("[]"));
        Hub.Repos[Id].Commit("master", changed);
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"), Text("""{"version": "9.9"}"""));
        Hub.Requests.Clear();
        await client.Fetch(request, default);
        Assert.Equal(
            ["generation_config.json", "tokenizer.json"], Hub.Requests.Select(r => r.Parameter("FilePath")).OfType<string>().Order(StringComparer.Ordinal));
        using var offline = new HubClient(settings with { Offline = true });
        Assert.Equal(folder, await offline.Fetch(request, default));
        using var stranger = new HubClient(settings with { ModelScopeToken = null });
        Assert.Contains("MODELSCOPE_API_TOKEN", (await Fails(stranger.Fetch(request, default))).Message);
    }

    [Fact]
    public async Task A_folder_of_the_older_ModelScope_client_is_used()
    {
        const string id = "acme/tiny-2.5";
        Hub.Add(id).Commit("master", ("config.json", Text("{}")), ("model.safetensors", Noise(100)));
        var old = Path.Combine(Cache.Path, "hub", "models", "acme", "tiny-2___5");
        Directory.CreateDirectory(old);
        File.WriteAllText(Path.Combine(old, "config.json"), "{}");
        var settings = Hub.Settings(Cache.Path) with { ModelScope = true, ModelScopeFolder = Cache.Path };
        using var client = new HubClient(settings);
        Assert.Equal(old, await client.Fetch(new FetchRequest(RepoName.Parse(id)), default));
        Assert.Equal([".fovea.json", "config.json", "model.safetensors"], Below(old));
        Assert.DoesNotContain(Hub.Requests, request => request.Parameter("FilePath") == "config.json");
    }
}
