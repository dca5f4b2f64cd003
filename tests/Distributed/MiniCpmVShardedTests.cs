using System.Text.Json.Nodes;
using Fovea.Tests.Parity.MiniCpmV;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Distributed;

/// <summary>The official arguments on ranks that divide the weights, or the tokens: losses are those of one rank that has them all.</summary>
[Trait("Category", "Long")]
public sealed class MiniCpmVShardedTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-minicpm-ranks-").FullName;

    [Theory]
    [InlineData("minicpm_v45", 3, true)]
    [InlineData("minicpm_v26", 2, true)]
    [InlineData("minicpm_v26", 3, true)]
    [InlineData("minicpm_v25", 3, false)]
    [InlineData("minicpm_v2", 3, false)]
    public void Two_ranks_with_sharding_and_offload_agree_with_one(string version, int stage, bool lora)
    {
        var offload = stage == 3 ? "offload=cpu" : "offload=optimizer";
        Agree(version, lora, 1e-4, "gradient_accumulation_steps=1", $"zero={stage}", offload);
    }

    [Theory]
    [InlineData("minicpm_v26", true)]
    [InlineData("minicpm_v4_derived", true)]
    [InlineData("minicpm_v25", false)]
    public void Two_ranks_that_split_every_sequence_agree_with_one(string version, bool lora) =>
        Agree(version, lora, 1e-5, "gradient_accumulation_steps=2", "sequence_parallel_size=2");

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private void Agree(string version, bool lora, double tolerance, params string[] two)
    {
        var (data, model) = (TestFiles.Golden($"{version}/data"), TestFiles.Golden($"{version}/model"));
        string[] common =
        [
            $"--model_name_or_path={model}", $"data_path={data}/train.json", $"media_dir={OfficialRun.Images(version)}", "learning_rate=1e-4",
            $"max_steps={(lora ? 3 : 2)}",
            "per_device_train_batch_size=1", "logging_steps=1", "save_strategy=no", "use_cpu=true", "lora_dropout=0", $"use_lora={lora}",
            $"tune_llm={!lora}", "tune_vision=true", "disable_shuffling=true",
        ];
        string[] one = [.. common, $"output_dir={folder}/one", "gradient_accumulation_steps=2"];
        SupervisedFineTune.Run(TrainConfig.Parse(string.Empty, "test", one), []);
        RankGroup.Run(2, ["train", .. common, $"output_dir={folder}/two", .. two]);
        RankRuns.Near(Losses("one"), Losses("two"), tolerance);
    }

    private double[] Losses(string name) =>
    [
        .. JsonNode.Parse(File.ReadAllText(Path.Combine(folder, name, "trainer_state.json")))!["log_history"]!.AsArray()
            .Where(entry => entry!["loss"] is not null).Select(entry => (double)entry!["loss"]!),
    ];
}
