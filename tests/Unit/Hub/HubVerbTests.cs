
namespace Fovea.Tests.Unit.Hub;

/// <summary>The command line and the library before a hub.</summary>
public sealed class HubVerbTests : HubTest
{
    private (int Code, string Output, string Errors) Run(string? token, params string[] arguments)
    {
        var variables = new Dictionary<string, string?>
        {
            ["HF_ENDPOINT"] = Hub.Url, ["HF_HUB_CACHE"] = Cache.Path, ["HF_HUB_OFFLINE"] = null, ["HF_TOKEN"] = token,
        };
        using var process = FoveaProcess.StartWith(variables, arguments);
        return (process.Wait(), process.Output, process.Errors);
    }

    [Fact]
    public void Fetch_prints_the_folder()
    {
        var commit = Hub.Add(Id).Commit("main", Files());
        var (code, output, errors) = Run(FakeHub.Token, "fetch", Id);
        Assert.Equal(0, code);
        var folder = Path.Combine(Cache.Path, "models--acme--tiny-vl", "snapshots", commit);
        Assert.Equal(folder, output.Trim());
        Assert.Equal(Needed, Below(folder));
        Assert.Contains($"{Id}: ", errors);
        Assert.DoesNotContain(FakeHub.Token, output + errors);
    }

    [Fact]
    public void What_cannot_be_fetched_is_one_message_and_exit_code_1()
    {
        Hub.Add(Id).Commit("main", Files());
        Hub.Repos[Id].Gated = true;
        var (code, output, errors) = Run(FakeHub.Token, "fetch", Id);
        Assert.Equal((1, string.Empty), (code, output));
        Assert.Contains($"error: {Id} is gated", errors);
        Assert.DoesNotContain(FakeHub.Token, errors);
    }

    [Fact]
    public void Push_prints_the_commit()
    {
        using var result = new TempFolder();
        result.Write("adapter_config.json", """{"base_model_name_or_path": "acme/base", "r": 8, "lora_alpha": 16}""");
        result.Write("adapter_model.safetensors", Noise(1000));
        var (code, output, errors) = Run(FakeHub.Token, "push", result.Path, "acme/receipts", "--private");
        Assert.True(code == 0, errors);
        Assert.Equal($"{Hub.Url}/acme/receipts/commit/{Hub.Repos["acme/receipts"].Refs["main"]}", output.Trim());
        Assert.True(Hub.Repos["acme/receipts"].Private);
        var card = Hub.Repos["acme/receipts"].Commits.Last().Value["README.md"].Content;
        Assert.Contains("base_model: \"acme/base\"", System.Text.Encoding.UTF8.GetString(card));
        Assert.False(File.Exists(result.File("README.md")));
    }

    [Fact]
    public void A_configuration_names_its_model()
    {
        Hub.Add(Id).Commit("main", Files());
        using var folder = new TempFolder();
        var file = folder.Write("run.yaml", $"model_name_or_path: {Id}\ndataset: none.json\noutput_dir: {folder.File("out")}\n");
        var (code, _, errors) = Run(null, "data", "check", file);
        Assert.Equal(2, code); // the model there is none that could be read
        Assert.Contains(Path.Combine(Cache.Path, "models--acme--tiny-vl", "snapshots"), errors); // its configuration is no whole one
        Assert.DoesNotContain(Hub.Contents, request => request.Elsewhere);
        (code, _, errors) = Run(null, "data", "check", file, "model_name_or_path=acme/other");
        Assert.Equal(2, code);
        Assert.Contains("acme/other does not exist; model_name_or_path must be a model's folder, or its name on a hub (as a name on a hub: ", errors);
    }

    [Fact]
    public void The_library_takes_names()
    {
        var root = Path.Combine(OfflineHub.Home, "hub");
        try
        {
            foreach (var (repo, file, text) in ((string, string, string)[])[
                ("base", "config.json", """{"model_type": "qwen2_5_vl"}"""),
                ("lora", "adapter_config.json", """
                    {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "base_model_name_or_path": "of-the-library/base"}
                    """)])
            {
                var snapshot = Path.Combine(root, $"models--of-the-library--{repo}", "snapshots", new string('a', 40));
                Directory.CreateDirectory(snapshot);
                File.WriteAllText(Path.Combine(snapshot, file), text);
                Directory.CreateDirectory(Path.Combine(root, $"models--of-the-library--{repo}", "refs"));
                File.WriteAllText(Path.Combine(root, $"models--of-the-library--{repo}", "refs", "main"), new string('a', 40));
            }

            Assert.Equal("qwen2_5_vl", ModelFolder.Open("of-the-library/base").ModelType);
            var adapter = Adapter.Open("of-the-library/lora");
            Assert.Equal(4, adapter.Rank);
            Assert.EndsWith(new string('a', 40), adapter.FindBase().Path);
            Assert.Contains("as a name on a hub", Assert.Throws<ConfigException>(() => ModelFolder.Open("of-the-library/none")).Message);
        }
        finally
        {
            Directory.Delete(OfflineHub.Home, recursive: true);
        }
    }
}
