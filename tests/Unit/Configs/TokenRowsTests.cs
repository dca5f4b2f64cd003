using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Tests.Parity.MiniMindV;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Configs;

/// <summary>A token whose id has no row in the embeddings is named with its row of data before anything is computed, in every family and verb.</summary>
public sealed class TokenRowsTests : NativeTest
{
    private const string Seal = "<|seal|>";

    public static TheoryData<string, int> Models => new() { { "qwen2_5_vl_tiny/model", 2048 }, { "minicpm_v26/model", 2015 }, { "minimind_c", 6400 } };

    [Theory]
    [MemberData(nameof(Models))]
    public void A_row_with_such_a_token_is_named_by_data_check_training_and_evaluation(string golden, int rows)
    {
        using var folder = Folder(golden, rows);
        var setup = DataSetup.From(Config(folder.Path));
        var problem = $"the token {Seal} has the id {rows}, but the model's embeddings end with row {rows - 1} (vocab_size {rows}): enlarge them";

        var report = DataCheck.Run(setup.Options, setup.Tokenizer, setup.Images, setup.NewEncoder(), decode: 0);
        var bad = Assert.Single(report.Rejected);
        Assert.Equal(2, bad.Row);
        Assert.StartsWith(problem, bad.Reason);

        using var data = DatasetLoader.Load(setup.Options);
        var error = Assert.Throws<ConfigException>(() => setup.CheckTokens(data.Train));
        Assert.StartsWith($"dataset '{folder.Path}/rows.json', row 2: {problem}", error.Message);

        // A sample is looked at once more where it is encoded, for rows that are left out.
        var skipping = DataSetup.From(Config(folder.Path, BadSamplePolicy.Skip));
        skipping.CheckTokens(data.Train);
        Assert.Equal(2, Assert.Throws<BadSampleException>(() => skipping.NewEncoder().Encode(data.Train[1])).Sample.Row);
        Assert.NotEmpty(skipping.NewEncoder().Encode(data.Train[0]).Ids);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_question_with_such_a_token_is_refused(string golden, int rows)
    {
        using var folder = Folder(golden, rows);
        var processor = DataSetup.From(Config(folder.Path)).Processor;
        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images, rows: processor.TokenRows);
        Assert.NotEmpty(prompts.Build(new([Message.User("a seal")]), []).Ids);
        var error = Assert.Throws<ConfigException>(() => prompts.Build(new([Message.User($"a {Seal}")]), []));
        Assert.Contains($"the token {Seal} has the id {rows}", error.Message);
    }

    [Fact]
    public void A_template_s_own_token_without_a_row_is_told_at_once()
    {
        using var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        folder.Set("vocab_size", "1985");
        var error = Assert.Throws<ConfigException>(() => DataSetup.From(Config(folder.Path)));
        Assert.Contains("template qwen2_vl: the token <|vision_start|> has the id 1987, but the model's embeddings end with row 1984", error.Message);
    }

    [Theory]
    [InlineData("train")]
    [InlineData("eval")]
    public void A_run_ends_before_its_first_step(string verb)
    {
        using var folder = Folder("qwen2_5_vl_tiny/model", 2048);
        var yaml = Path.Combine(folder.Path, "run.yaml");
        File.WriteAllText(yaml, $"""
            model_name_or_path: {folder.Path}
            finetuning_type: lora
            dataset: {folder.Path}/rows.json
            output_dir: {folder.Path}/out
            disable_shuffling: true
            max_steps: 2
            per_device_train_batch_size: 1
            gradient_accumulation_steps: 1
            use_cpu: true
            vision_cache_dir: none
            """);
        using var process = FoveaProcess.Start([verb, yaml]);
        Assert.Equal(2, process.Wait());
        Assert.Contains($"row 2: the token {Seal} has the id 2048", process.Errors);
        Assert.DoesNotContain("loss", process.Output);
    }

    [Fact]
    public void A_tokenizer_whose_every_id_has_a_row_costs_nothing()
    {
        var setup = DataSetup.From(Config(TestFiles.Golden("qwen2_5_vl_tiny/model")));
        Assert.True(setup.Processor.TokenRows.Cover);
        var plain = setup.Processor.NewEncoder(setup.Options);
        Assert.Same(plain, setup.Processor.TokenRows.Guard(plain));
        Assert.Equal(1999, setup.Tokenizer.LargestId);
    }

    private static TrainConfig Config(string folder, BadSamplePolicy policy = BadSamplePolicy.Error) => new()
    {
        Model = new ModelSection { ModelNameOrPath = folder },
        Data = new DataOptions { Dataset = [Path.Combine(folder, "rows.json")], OnBadSample = policy },
    };

    /// <summary>A model folder whose tokenizer got one more token than there are rows, and a dataset whose second row has it.</summary>
    private static ConfigFolder Folder(string golden, int rows)
    {
        var folder = new ConfigFolder(golden == "minimind_c" ? "minimind_c/tokenizer" : golden);
        if (golden == "minimind_c")
        {
            using var minimind = new MiniMindFolder("c", "dense");
            File.Copy(Families.ConfigPath(minimind.Path), Families.ConfigPath(folder.Path));
        }

        var path = Path.Combine(folder.Path, "tokenizer.json");
        var tokenizer = JsonNode.Parse(File.ReadAllText(path))!;
        tokenizer["added_tokens"]!.AsArray().Add(JsonNode.Parse(
            $$"""{ "id": {{rows}}, "content": "{{Seal}}", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }"""));
        File.WriteAllText(path, tokenizer.ToJsonString());
        string[] questions = ["one", $"two {Seal} two", "three"];
        File.WriteAllText(Path.Combine(folder.Path, "rows.json"), JsonSerializer.Serialize(questions.Select(question => new
        {
            messages = new[] { new { role = "user", content = question }, new { role = "assistant", content = "yes" } },
        })));
        return folder;
    }
}
