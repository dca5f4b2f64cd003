using System.Text.Json;
using Fovea.Models.Peft;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Peft;

/// <summary>adapter_config.json as PEFT reads and writes it.</summary>
public sealed class PeftConfigTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-peft-").FullName;

    [Fact]
    public void The_reference_s_files_read()
    {
        var config = PeftConfig.Read(TestFiles.Golden("qwen2_5_vl_tiny/adapter_init"));
        Assert.Equal(new LoraOptions { Rank = 8, Alpha = 16 }, config.Lora);
        Assert.Equal("model", config.BaseModel);
        Assert.StartsWith("^(?!.*visual)", config.TargetPattern, StringComparison.Ordinal);
        Assert.Null(config.TargetModules);
        Assert.Empty(config.ModulesToSave);
        Assert.Equal("CAUSAL_LM", config.TaskType);
    }

    [Theory]
    [InlineData("qwen2_5_vl_tiny/adapter_init/adapter_config.json")]
    [InlineData("qwen2_5_vl_configs/adapter_config.llamafactory_all.json")]
    public void What_is_written_is_the_reference_s_file_line_by_line_without_the_keys_of_newer_releases(string golden)
    {
        var path = TestFiles.Golden(golden);
        File.Copy(path, Path.Combine(folder, PeftConfig.FileName));
        var text = PeftConfig.Read(folder).ToJson();
        var expected = File.ReadAllText(path).Split('\n').Select(line => line.TrimEnd(',')).ToList();
        var written = text.Split('\n').Select(line => line.TrimEnd(',')).ToList();
        Assert.Empty(written.Except(expected));
        Assert.Equal(written, expected.Where(written.Contains));
        Assert.Equal(24, JsonDocument.Parse(text).RootElement.EnumerateObject().Count());
    }

    [Fact]
    public void Patterns_and_exclusions_are_written_as_the_reference_writes_them()
    {
        var path = TestFiles.Golden("peft_variants/patterns/adapter_init/adapter_config.json");
        File.Copy(path, Path.Combine(folder, PeftConfig.FileName));
        var config = PeftConfig.Read(folder);
        Assert.Equal(".*visual.*", config.ExcludePattern);
        var expected = File.ReadAllText(path).Split('\n').Select(line => line.TrimEnd(',')).ToList();
        var written = config.ToJson().Split('\n').Select(line => line.TrimEnd(',')).ToList();
        Assert.Empty(written.Except(expected));
        Assert.Equal(written, expected.Where(written.Contains));
        Assert.Contains("    \"layers\\\\.1\\\\.mlp\\\\.down_proj\": 16", written);
    }

    [Fact]
    public void The_first_pattern_that_matches_counts_and_their_order_survives_writing()
    {
        var lora = new LoraOptions
        {
            Rank = 8,
            Alpha = 16,
            RankPattern = new Dictionary<string, double> { ["q_proj"] = 4, [@"layers\.1\.self_attn\.q_proj"] = 2, ["^model.layers.3.mlp.up_proj"] = 3 },
            AlphaPattern = new Dictionary<string, double> { ["v_proj"] = 4, ["(up|down)_proj"] = 0.5 },
        };
        Check(lora);
        new PeftConfig { Lora = lora, TargetModules = ["q_proj"], ExcludeModules = ["o_proj"] }.Write(folder);
        var read = PeftConfig.Read(folder);
        Check(read.Lora);
        Assert.Equal(["o_proj"], read.ExcludeModules);

        static void Check(LoraOptions options)
        {
            Assert.Equal((4, 4.0), Of("model.layers.1.self_attn.q_proj"));
            Assert.Equal((3, 1.0 / 6), Of("model.layers.3.mlp.up_proj"));
            Assert.Equal((8, 2.0), Of("x.model.layers.3.mlp.gate_proj"));
            Assert.Equal((8, 0.0625), Of("x.model.layers.3.mlp.up_proj"));
            Assert.Equal((8, 0.5), Of("v_proj"));
            Assert.Equal((8, 2.0), Of("my_v_proj"));

            (int Rank, double Scale) Of(string path) => (options.For(path).Rank, options.For(path).Scale);
        }
    }

    [Fact]
    public void Every_setting_survives_writing_and_reading()
    {
        var config = new PeftConfig
        {
            BaseModel = "/models/Qwen 2.5 \"VL\" été",
            Lora = new LoraOptions { Rank = 3, Alpha = 4.5, Dropout = 0.05, RankStabilized = true, Decomposed = true },
            ExcludePattern = ".*visual.*",
            Layers = [0, 2],
            LayersPattern = ["layers"],
            TargetModules = ["q_proj", "model.language_model.layers.0.mlp.up_proj"],
            ModulesToSave = ["embed_tokens"],
            Revision = "main",
            TaskType = null,
        };
        config.Write(folder);
        Assert.Equivalent(config, PeftConfig.Read(folder), strict: true);
        Assert.Contains("\"lora_dropout\": 0.05", config.ToJson(), StringComparison.Ordinal);
        Assert.True(File.ReadAllBytes(Path.Combine(folder, PeftConfig.FileName)).All(b => b < 128));
    }

    [Fact]
    public void Features_that_would_change_the_result_are_refused_by_name_and_all_at_once()
    {
        Put("""
            {"peft_type": "LORA", "r": 8, "lora_bias": true, "bias": "all", "rank_pattern": {"q_proj": 0}, "alpha_pattern": {"q_(proj": 4},
             "init_lora_weights": "corda", "loftq_config": {"loftq_bits": 4}, "target_modules": ["q_proj"]}
            """);
        var error = Assert.Throws<ConfigException>(() => PeftConfig.Read(folder));
        Assert.Equal(6, error.Problems.Count);
        string[] names = ["bias all", "init_lora_weights corda", "lora_bias", "rank_pattern: q_proj: 0 must be", "q_(proj is malformed", "loftq_config"];
        Assert.All(names, name => Assert.Contains(name, error.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{", "is not valid JSON")]
    [InlineData("[]", "one JSON object ({...}) is expected")]
    [InlineData("""{"peft_type": "IA3"}""", "peft_type IA3 is not supported")]
    [InlineData("""{"peft_type": "LORA", "r": 0}""", "r must be a whole number")]
    [InlineData("""{"peft_type": "LORA", "r": "8"}""", "r must be a number, not \"8\"")]
    [InlineData("""{"peft_type": "LORA", "lora_dropout": 1}""", "lora_dropout must be in [0, 1)")]
    [InlineData("""{"peft_type": "LORA", "rank_pattern": ["q_proj"]}""", "rank_pattern must be a map from names to numbers")]
    [InlineData("""{"peft_type": "LORA", "target_modules": ".*q_proj", "layers_to_transform": [1]}""", "layers_to_transform needs a list of names")]
    [InlineData("""{"peft_type": "LORA", "target_modules": ["q_proj"], "layers_to_transform": [-1]}""", "must be numbers of layers")]
    [InlineData("""{"peft_type": "LORA", "exclude_modules": {"q_proj": 1}}""", "exclude_modules must be a list of names")]
    [InlineData("""{"peft_type": "LORA", "use_dora": true, "target_parameters": ["mlp.experts.down_proj"]}""", "use_dora is not for target_parameters")]
    [InlineData("""{"peft_type": "LORA", "rank_pattern": {"q_proj": 4}, "target_parameters": ["mlp.experts.down_proj"]}""", "are not supported together")]
    [InlineData("""{"peft_type": "LORA", "target_modules": [1]}""", "target_modules must be a list of names")]
    public void A_malformed_file_is_refused_with_the_reason(string text, string reason)
    {
        Put(text);
        Assert.Contains(reason, Assert.Throws<ConfigException>(() => PeftConfig.Read(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_configuration_is_told_what_an_adapter_is()
    {
        var error = Assert.Throws<ConfigException>(() => PeftConfig.Read(folder));
        Assert.Contains("an adapter is a folder with adapter_config.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_of_releases_to_come_are_passed_over()
    {
        Put("""{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "a_key_of_tomorrow": true, "target_modules": null}""");
        var config = PeftConfig.Read(folder);
        Assert.Equal(4, config.Lora.Rank);
        Assert.Null(config.TargetModules);
        Assert.Null(config.TargetPattern);
    }

    [Theory]
    [InlineData("visual.merger.mlp.0.weight", true)]
    [InlineData("model.embed_tokens.weight", true)]
    [InlineData("model.norm.weight", false)]
    [InlineData("embed_tokens", false)]
    public void Modules_to_save_cover_every_weight_below_them(string parameter, bool covered) =>
        Assert.Equal(covered, new PeftConfig { ModulesToSave = ["merger", "embed_tokens"] }.SavesWhole(parameter));

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private void Put(string text) => File.WriteAllText(Path.Combine(folder, PeftConfig.FileName), text);
}
