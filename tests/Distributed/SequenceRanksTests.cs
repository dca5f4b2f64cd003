using System.Text.Json.Nodes;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;

namespace Fovea.Tests.Distributed;

/// <summary>Ranks that split the tokens of every micro-batch are the same run as one rank that has them all: losses, weights, checkpoints.</summary>
public sealed class SequenceRanksTests : NativeTest
{
    private const string Rate = "learning_rate=1e-4";
    private const string Tiny = "qwen2_5_vl_tiny";

    // Small models send so little that the protocol is seen beside it.
    private readonly RankRuns runs = new() { ProtocolMegabytes = 0.1 };

    [Fact]
    public void Two_ranks_that_split_every_sequence_give_the_losses_and_adapters_of_one()
    {
        string[] lora =
        [
            Rate, "lora_dropout=0.1", "label_smoothing_factor=0.1", "neftune_noise_alpha=5", "val_size=7", "max_steps=3", "eval_strategy=steps", "eval_steps=3",
            "per_device_eval_batch_size=2",
        ];
        var one = runs.Train("one", 1, 4, lora);
        Assert.Equal(3, one.Length);
        RankRuns.Near(one, runs.Split("two", 2, 2, 4, lora), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
        Assert.Equal(runs.Number("one", "eval_loss"), runs.Number("two", "eval_loss"), 1e-5);
    }

    [Fact]
    public void Recurrent_layers_are_split_too_and_a_resumed_run_is_the_uninterrupted_one()
    {
        string[] hybrid = [Model("qwen3_5"), Rate, "lora_dropout=0.1", "lr_scheduler_type=constant", "recompute=always"];
        RankRuns.Near(runs.Train("one", 1, 4, [.. hybrid, "max_steps=4"]), runs.Split("two", 2, 2, 4, [.. hybrid, "max_steps=4"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
        runs.Split("parts", 2, 2, 4, [.. hybrid, "max_steps=2", "save_steps=1"]);
        runs.Split("parts", 2, 2, 4, [.. hybrid, "max_steps=4", "save_steps=1", "resume_from_checkpoint=true"]);
        Assert.Equal(runs.Tiny.Losses("two"), runs.Tiny.Losses("parts"));
        Assert.Equal(runs.Tiny.Adapter("two"), runs.Tiny.Adapter("parts"));
    }

    [Theory]
    [InlineData(Tiny, "mean")]
    [InlineData("qwen3_5", "token")]
    [InlineData("qwen2_vl", "token")]
    [InlineData("qwen3_vl_moe", "mean", "moe_aux_loss_coef=0.05")]
    [InlineData("qwen3_5_moe", "token", "moe_aux_loss_coef=0.05")]
    [InlineData("minicpmv4_6", "token")]
    [Trait("Category", "Long")]
    public void Four_ranks_give_the_losses_and_adapters_of_one_as_one_group_or_two(string model, string reduction, params string[] more)
    {
        // Weights move by their gradients, not by the signs of those, so that they show how far these agree.
        string[] lora = [Model(model), "optim=sgd", "learning_rate=0.01", $"loss_reduction={reduction}", "lora_dropout=0.1", "max_steps=3", .. more];
        var one = runs.Train("one", 1, 4, lora);
        foreach (var together in new[] { 2, 4 })
        {
            RankRuns.Near(one, runs.Split($"{together}", 4, together, 4, lora), 1e-5);
            runs.SameWeights("one", $"{together}", 1e-6);
        }
    }

    [Theory]
    [InlineData("qwen3_vl", 2)]
    [InlineData("qwen3_vl", 3)]
    [Trait("Category", "Long")]
    public void Features_that_images_add_behind_layers_stay_with_their_tokens(string model, int ranks)
    {
        string[] vision = [Model(model), Rate, "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "max_steps=3"];
        RankRuns.Near(runs.Train("one", 1, 4, vision), runs.Split("split", ranks, ranks, 4, vision), 1e-5);
        runs.SameWeights("one", "split", 1e-5);
    }

    [Theory]
    [InlineData(0, "auto")]
    [InlineData(0, "selective")]
    [InlineData(1, "never")]
    [InlineData(2, "always")]
    [InlineData(3, "auto")]
    [InlineData(3, "always", "qwen3_5")]
    [Trait("Category", "Long")]
    public void Full_fine_tuning_agrees_at_every_stage_of_ZeRO_where_some_ranks_see_text_only(int stage, string recompute, string model = Tiny)
    {
        // Of two groups, the second never sees an image, and no rank does in the second step.
        var data = runs.Tiny.Rows(12, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                if (i % 2 == 1 || i / 4 == 1)
                {
                    DataParallelTests.MakeText(rows[i]!);
                }
            }
        });
        string[] full =
        [
            Model(model), "finetuning_type=full", "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "learning_rate=1e-5",
            "disable_shuffling=true", "max_steps=3", $"recompute={recompute}", .. data,
        ];
        var one = runs.Train("one", 1, 4, full);
        RankRuns.Near(one, runs.Split("two", 2, 2, 4, [.. full, $"zero={stage}"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
        RankRuns.Near(one, runs.Split("four", 4, 2, 4, [.. full, $"zero={stage}"]), 1e-5);
        runs.SameWeights("one", "four", 1e-5);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Where_the_projector_alone_learns_every_rank_has_a_backward_pass_also_without_an_image_token()
    {
        string[] projector =
        [
            "finetuning_type=full", "freeze_vision_tower=true", "freeze_multi_modal_projector=false", "freeze_language_model=true", "learning_rate=1e-4",
            "micro_batch_tokens=1", "max_steps=3",
        ];
        RankRuns.Near(runs.Train("one", 1, 4, projector), runs.Split("four", 4, 4, 4, projector), 1e-5);
        runs.SameWeights("one", "four", 1e-5);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_run_goes_on_with_sequences_whole_or_split_otherwise()
    {
        string[] both = [Rate, "save_steps=1", "lr_scheduler_type=constant"];
        var whole = runs.Train("whole", 1, 4, [.. both, "max_steps=8"]);
        foreach (var (ranks, together, zero, steps) in new[] { (2, 2, 0, 2), (2, 1, 3, 4), (4, 2, 2, 6), (1, 1, 0, 8) })
        {
            string[] resume = steps > 2 ? ["resume_from_checkpoint=true"] : [];
            runs.Split("parts", ranks, together, 4, [.. both, $"max_steps={steps}", $"zero={zero}", .. resume]);
        }

        RankRuns.Near(whole, runs.Tiny.Losses("parts"), 1e-5);
        runs.SameWeights("whole", "parts", 1e-5);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_rank_that_dies_within_an_exchange_or_outside_is_named_by_its_neighbours()
    {
        string[] endless = ["sequence_parallel_size=2", "max_steps=100000", "save_steps=100000", "logging_steps=1"];
        using var group = RankGroup.Start(2, runs.Tiny.Train("endless", endless));
        Assert.True(group[0].WaitUntil(() => File.Exists(Path.Combine(runs.Tiny.Out("endless"), "trainer_log.jsonl"))), group[0].Errors);
        group[1].Signal("KILL");
        Assert.Equal(1, group[0].Wait());
        Assert.Matches("(?m)^error: rank 1 on .* died or was stopped", group[0].Errors);
    }

    [Fact]
    public void A_sample_that_one_rank_alone_cannot_read_ends_the_run_in_words_instead_of_hanging()
    {
        using var other = new TinyRun();
        string[] settings = ["sequence_parallel_size=2", "on_bad_sample=skip", "disable_shuffling=true"];
        var whole = runs.Tiny.Train("out", [.. settings, .. runs.Tiny.Rows(8, _ => { })]);
        var broken = runs.Tiny.Train("out", [.. settings, .. other.Rows(8, rows => rows[3]!["images"] = new JsonArray(RankGroup.BrokenImage))]);
        using var group = RankGroup.Start(2, rank => rank == 0 ? whole : broken);
        foreach (var rank in new[] { 0, 1 })
        {
            Assert.Equal(1, group[rank].Wait());
            Assert.Matches(
                @"(?m)^error: .*step 2: ranks 0 and 1 split .* different samples: rank 0 has 2 samples of \d+ tokens, "
                + @"rank 1 has 1 samples of \d+ tokens, after 1 that could not be used\.",
                group[rank].Errors);
        }

        Assert.Contains("on rank 1, could not be used: dataset 'rows', row 4:", group[1].Errors);
    }

    [Fact]
    public void What_cannot_be_split_is_refused_before_anything_is_loaded()
    {
        var (code, _, errors) = FoveaProcess.Run(runs.Tiny.Train("alone", "sequence_parallel_size=2"));
        Assert.Equal(2, code);
        Assert.Contains("sequence_parallel_size: 2 does not divide the number of processes, which is 1", errors);

        var config = TrainConfig.Load(runs.Tiny.Config, [$"output_dir={runs.Tiny.Out("x")}", "sequence_parallel_size=2"]);
        config.CheckRanks(4);
        Assert.Contains("which is 3", Assert.Throws<ConfigException>(() => config.CheckRanks(3)).Message);
        Assert.Contains("sequence_parallel_size", Refusal("cp_size=2"));
        Assert.Contains("at least 1", Refusal("sequence_parallel_size=0"));

        string Refusal(string key) =>
            Assert.Throws<ConfigException>(() => TrainConfig.Load(runs.Tiny.Config, [$"output_dir={runs.Tiny.Out("x")}", key])).Message;
    }

    protected override void Cleanup() => runs.Dispose();

    private static string Model(string golden) => $"model_name_or_path={TestFiles.Golden($"{golden}/model")}";
}
