using Fovea.Data.Datasets;
using Fovea.Models.Peft;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Hub;

/// <summary>Names in configurations, found in a cache; the tests' own environment is offline.</summary>
public sealed class NameResolutionTests : IDisposable
{
    private const string Commit = "0123456789012345678901234567890123456789";
    private readonly TempFolder cache = new();

    public void Dispose() => cache.Dispose();

    private string Put(string repo, params (string Name, string Text)[] files)
    {
        foreach (var (name, text) in files)
        {
            cache.Write($"{repo}/snapshots/{Commit}/{name}", text);
        }

        cache.Write($"{repo}/refs/main", Commit);
        return cache.File($"{repo}/snapshots/{Commit}");
    }

    private TrainConfig Config(string yaml) => TrainConfig.Parse($"cache_dir: {cache.Path}\n{yaml}", "test.yaml", use: ConfigUse.Any);

    [Fact]
    public void Models_and_adapters_are_found_by_their_names()
    {
        var model = Put("models--acme--base", ("config.json", "{}"));
        var adapter = Put("models--acme--lora", ("adapter_config.json", "{}"));
        var config = HubNames.Locate(Config("model_name_or_path: acme/base\nadapter_name_or_path: acme/lora"));
        Assert.Equal(model, config.Model.ModelNameOrPath);
        Assert.Equal([adapter], config.Model.AdapterNameOrPath);

        // What is written down is the name.
        Assert.Equal("acme/base", config.Model.Name);
        Assert.Equal($"acme/base@{Commit}", config.Model.Identity);
        var again = HubNames.Locate(config);
        Assert.Equal(model, again.Model.ModelNameOrPath);
        Assert.Equal("acme/base", again.Model.Name);
    }

    [Fact]
    public void A_revision_is_a_key_or_follows_the_name()
    {
        var folder = Put("models--acme--base", ("config.json", "{}"));
        Assert.Equal(folder, HubNames.Locate(Config($"model_name_or_path: acme/base\nmodel_revision: {Commit}")).Model.ModelNameOrPath);
        Assert.Equal(folder, HubNames.Locate(Config($"model_name_or_path: acme/base@{Commit}")).Model.ModelNameOrPath);
        var error = Assert.Throws<ConfigException>(() => HubNames.Locate(Config("model_name_or_path: acme/base\nmodel_revision: v2")));
        Assert.Contains("has no acme/base at revision 'v2'", error.Message);
    }

    [Fact]
    public void A_folder_goes_before_a_name()
    {
        using var here = new TempFolder();
        var config = HubNames.Locate(Config($"model_name_or_path: {here.Path}"));
        Assert.Equal(here.Path, config.Model.ModelNameOrPath);
        Assert.Equal(Path.GetFullPath(here.Path), config.Model.Identity);
    }

    [Fact]
    public void A_mistyped_path_is_told_as_a_path_and_as_a_name()
    {
        var error = Assert.Throws<ConfigException>(() => HubNames.Locate(Config("model_name_or_path: models/Qwen2.5-VL")));
        Assert.Equal(
            $"{Path.GetFullPath("models/Qwen2.5-VL")} does not exist; model_name_or_path must be a model's folder, or its name on a hub (as a name on a hub: "
            + $"HF_HUB_OFFLINE is set, and the cache {cache.Path} has no models/Qwen2.5-VL)", error.Message);
        var adapter = Assert.Throws<ConfigException>(() => HubNames.Locate(Config("adapter_name_or_path: saves/mine")));
        Assert.StartsWith("saves/mine is not an adapter folder (no adapter_config.json): it does not exist (as a name on a hub:", adapter.Message);

        // What cannot be a name is left to whoever opens it.
        Assert.Equal("/no/such/model", HubNames.Locate(Config("model_name_or_path: /no/such/model")).Model.ModelNameOrPath);
    }

    [Fact]
    public void The_base_of_an_adapter_is_found_by_its_name()
    {
        var model = Put("models--acme--base", ("config.json", "{}"));
        using var adapter = new TempFolder();
        adapter.Write("adapter_config.json",
            """{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "base_model_name_or_path": "acme/base"}""");
        var names = new HubNames(new HubSection { CacheDir = cache.Path });
        Assert.Equal(model, PeftAdapter.ResolveBase(adapter.Path, name => names.Model(name)));
        var error = Assert.Throws<ConfigException>(() => PeftAdapter.ResolveBase(adapter.Path, name => new HubNames(new HubSection()).Model(name)));
        Assert.Contains("as a name on a hub: ", error.Message);
    }

    [Fact]
    public void A_token_in_a_configuration_is_shown_nowhere()
    {
        var config = Config("hf_hub_token: hf_secret\nhub_token: hf_other\nms_hub_token: ms_secret\n"
            + "push_to_hub: true\nhub_model_id: acme/x\nhub_private_repo: true");
        Assert.Equal("(secret)", config.ToDictionary()["hf_hub_token"]);
        Assert.DoesNotContain(config.ToDictionary().Values, value => value.Contains("hf_") || value.Contains("ms_"));
        Assert.DoesNotContain(RunSettings.Of(config).Values, value => value.Contains("hf_"));
        Assert.Equal(("hf_secret", "ms_secret"), (config.Hub.Settings().Token, config.Hub.Settings().ModelScopeToken));
        Assert.Equal("hf_other", config.Hub.PushSettings().Token);
    }

    [Theory]
    [InlineData("", "data/test-0.jsonl data/train-0.jsonl data/train-1.jsonl", "data/train-0.jsonl data/train-1.jsonl")]
    [InlineData("\"split\": \"validation\"", "dev.json train.json", "dev.json")]
    [InlineData("", "b.json a.jsonl README.md dataset_infos.json", "a.jsonl b.json")]
    [InlineData("\"subset\": \"en\"", "en/x.json zh/x.json", "en/x.json")]
    [InlineData("\"subset\": \"en\"", "rows_en.json rows_zh.json", "rows_en.json")]
    [InlineData("\"folder\": \"zh\"", "en/x.json zh/x.json", "zh/x.json")]
    public void Rows_of_a_dataset_on_a_hub_are_chosen_by_split_subset_and_folder(string keys, string files, string chosen)
    {
        var root = Put("datasets--acme--rows", [.. files.Split(' ').Select(name => (name, "[]"))]);
        using var data = new TempFolder();
        data.Write("dataset_info.json", "{\"mine\": {\"hf_hub_url\": \"acme/rows\"" + (keys.Length > 0 ? ", " + keys : string.Empty) + "}}");
        var config = HubNames.Locate(Config($"dataset: mine\ndataset_dir: {data.Path}"));
        var spec = DatasetCatalog.Resolve(config.Data.Dataset, config.Data.DatasetDir, config.Data.Repositories).Single();
        Assert.Equal(chosen.Split(' '), spec.Files.Select(file => Path.GetRelativePath(root, file)));
    }

    private const string TwoParts = """
        configs:
        - config_name: en
          data_files:
          - split: train
            path: [parts/en-1.json, "parts/en-0*.json"]
          - split: dev
            path: parts/held.json
        - config_name: zh
          data_dir: zh
        """;

    [Theory]
    [InlineData("configs: [{config_name: default, data_files: \"rows/*.json\"}]", "", "rows/a.json rows/deep/b.json other.json", "rows/a.json")]
    [InlineData("configs: [{config_name: x, data_files: [{split: train, path: \"**/*.json\"}]}]", "", "a.json d/b.json", "a.json d/b.json")]
    [InlineData("configs: [{config_name: x, data_files: {train: a.json, test: [b.json]}}]", "\"split\": \"test\"", "a.json b.json", "b.json")]
    [InlineData(TwoParts, "\"subset\": \"en\"", "parts/en-00.json parts/en-01.json parts/en-1.json parts/held.json",
        "parts/en-1.json parts/en-00.json parts/en-01.json")]
    [InlineData(TwoParts, "\"subset\": \"en\", \"split\": \"dev\"", "parts/en-1.json parts/held.json", "parts/held.json")]
    [InlineData(TwoParts, "\"subset\": \"zh\"", "zh/train.json zh/test.json parts/en-1.json", "zh/train.json")]
    [InlineData(TwoParts, "\"folder\": \"zh\"", "zh/train.json parts/en-1.json", "zh/train.json")]
    [InlineData("license: mit", "", "b.json a.json", "a.json b.json")]
    [InlineData("configs: [", "", "b.json a.json", "a.json b.json")]
    public void A_card_says_which_rows_are_of_a_subset_and_split(string head, string keys, string files, string chosen)
    {
        var (root, config) = Card(head, keys, files);
        var spec = DatasetCatalog.Resolve(config.Data.Dataset, config.Data.DatasetDir, config.Data.Repositories).Single();
        Assert.Equal(chosen.Split(' '), spec.Files.Select(file => Path.GetRelativePath(root, file)));
    }

    [Theory]
    [InlineData("", "its card lists en, zh: name one of them with \"subset\"")]
    [InlineData("\"subset\": \"en\", \"split\": \"none\"", "its card lists no files of the split 'none'; there are train, dev")]
    public void What_a_card_does_not_have_is_told(string keys, string problem)
    {
        var (_, config) = Card(TwoParts, keys, "parts/en-1.json");
        Assert.Contains($"the dataset acme/rows: {problem}", Assert.Throws<ConfigException>(
            () => DatasetCatalog.Resolve(config.Data.Dataset, config.Data.DatasetDir, config.Data.Repositories)).Problems[0]);
    }

    private (string Root, TrainConfig Config) Card(string head, string keys, string files)
    {
        var root = Put("datasets--acme--rows", [("README.md", $"---\n{head}\n---\n# Rows\n"), .. files.Split(' ').Select(name => (name, "[]"))]);
        cache.Write("info/dataset_info.json", "{\"mine\": {\"hf_hub_url\": \"acme/rows\"" + (keys.Length > 0 ? ", " + keys : string.Empty) + "}}");
        return (root, HubNames.Locate(Config($"dataset: mine\ndataset_dir: {cache.File("info")}")));
    }

    [Fact]
    public void A_dataset_that_is_not_there_is_told()
    {
        using var data = new TempFolder();
        data.Write("dataset_info.json", """{"mine": {"hf_hub_url": "acme/none", "file_name": "x.json"}, "other": {"ms_hub_url": "a b"}}""");
        var config = HubNames.Locate(Config($"dataset: mine,other\ndataset_dir: {data.Path}"));
        var error = Assert.Throws<ConfigException>(
            () => DatasetCatalog.Resolve(config.Data.Dataset, config.Data.DatasetDir, config.Data.Repositories));
        Assert.Contains("the dataset acme/none cannot be fetched: HF_HUB_OFFLINE is set", error.Problems[0]);
        Assert.Contains("'a b' is not the name of a repository", error.Problems[1]);
    }
}
