using System.Text.Json.Nodes;
using Fovea.Tests.Parity.MiniMindV;

namespace Fovea.Tests.Distributed;

/// <summary>MiniMind-V on two ranks: both stages, dense and with experts and their loss, equal one rank's, also from the scripts' own file on.</summary>
[Trait("Category", "Long")]
public sealed class MiniMindRanksTests : NativeTest
{
    private readonly RankRuns runs = new() { ProtocolMegabytes = 0.1 };
    private MiniMindFolder? folder;

    [Theory]
    [InlineData("a", "moe", "pretrain", "freeze_llm=2", "moe_aux=original")]
    [InlineData("c", "dense", "pretrain", "freeze_llm=2", "zero=2")]
    [InlineData("c", "moe", "sft", "freeze_llm=0", "moe_aux=tokens")]
    [InlineData("c", "moe", "sft", "freeze_llm=1", "fp16=true")]
    public void Two_ranks_give_the_losses_and_weights_of_one(string generation, string kind, string stage, string freezing, string special)
    {
        Begin(generation, kind, stage);
        string[] overrides = [freezing, special, "save_steps=3"];
        var isHalf = special.StartsWith("fp16", StringComparison.Ordinal);
        var one = runs.Train("one", 1, 4, overrides);
        Assert.Equal(3, one.Length);
        RankRuns.Near(one, runs.Train("two", 2, 4, overrides), isHalf ? 2e-3 : 1e-5);
        var file = $"{stage}_vlm_64{(kind == "moe" ? "_moe" : string.Empty)}.pth";
        runs.SameWeights($"one/checkpoint-3/{file}", $"two/checkpoint-3/{file}", isHalf ? 3e-4 : 1e-5);
    }

    [Theory]
    [InlineData("a", "moe", "pretrain", "freeze_llm=2")]
    [InlineData("c", "moe", "sft", "freeze_llm=0")]
    public void Two_ranks_that_split_every_sequence_give_the_losses_and_weights_of_one(string generation, string kind, string stage, string freezing)
    {
        Begin(generation, kind, stage);
        var one = runs.Train("one", 1, 4, freezing, "save_steps=3");
        RankRuns.Near(one, runs.Split("two", 2, 2, 4, freezing, "save_steps=3"), 1e-5);
        runs.SameWeights($"one/checkpoint-3/{stage}_vlm_64_moe.pth", $"two/checkpoint-3/{stage}_vlm_64_moe.pth", 1e-5);
    }

    [Fact]
    public void A_file_of_the_scripts_on_one_rank_is_gone_on_from_on_two_that_divide_weights_or_only_moments()
    {
        Begin("c", "dense", "sft");
        string[] keys = ["freeze_llm=1", "weight_decay=0.01", "decay_norms=true"];
        var one = runs.Train("one", 1, 4, [.. keys, "save_steps=1"]);
        var golden = folder!.Json("dense/train_sft_freeze1.json");
        var file = new ScriptsFile(folder, golden) { Epoch = 0, Batches = 4, Scaler = (4096, 7) }
            .Write(runs.Tiny.Out("one/checkpoint-1"), runs.Tiny.Out("sft_vlm_64_resume.pth"));
        RankRuns.Near(one[1..], runs.Train("three", 2, 4, [.. keys, "zero=3", $"resume_from_checkpoint={file}"]), 1e-5);
        RankRuns.Near(one[1..], runs.Train("half", 2, 4, [.. keys, "zero=1", "fp16=true", $"resume_from_checkpoint={file}"]), 2e-3);
        Assert.Contains("at step 1 of 3: after 2 of the 4 batches of epoch 1", runs.Tiny.Log("three"));
        var scale = JsonNode.Parse(File.ReadAllText(runs.Tiny.Out("half/checkpoint-3/fovea_state.json")))!["scale"]!;
        Assert.Equal((4096, 9), (scale["value"]!.GetValue<double>(), scale["good_steps"]!.GetValue<int>()));
    }

    protected override void Cleanup()
    {
        folder?.Dispose();
        runs.Dispose();
    }

    private void Begin(string generation, string kind, string stage)
    {
        folder = new MiniMindFolder(generation, kind);
        runs.Config = runs.Tiny.Write("minimind.yaml", $"""
            model_name_or_path: {folder.Path}
            stage: {stage}
            finetuning_type: full
            data_path: {folder.Data(folder.IsA ? "train.jsonl" : "train.rows.json")}
            images_path: {folder.Data("images")}
            max_seq_len: 288
            per_device_train_batch_size: 1
            learning_rate: 1.0e-4
            max_steps: 3
            logging_steps: 1
            use_cpu: true
            vision_cache_dir: none
            """);
    }
}
