using System.Text.Json.Nodes;

namespace Fovea.Tests.Distributed;

/// <summary>One, two and four ranks are the same run: losses and weights agree for the same samples a step, whatever each rank's share of them is.</summary>
public sealed class DataParallelTests : NativeTest
{
    // AdamW's first steps are the sign of a gradient times the rate, so an element whose gradient is all rounding moves by a part of the rate.
    private const string Rate = "learning_rate=1e-4";
    private readonly RankRuns runs = new();

    [Fact]
    public void Two_and_four_ranks_give_the_losses_and_adapters_of_one()
    {
        string[] lora = [Rate, "lora_dropout=0.1", "val_size=7", "max_steps=3", "eval_strategy=steps", "eval_steps=3", "per_device_eval_batch_size=2"];
        var one = runs.Train("one", 1, 4, lora);
        foreach (var ranks in new[] { 2, 4 })
        {
            RankRuns.Near(one, runs.Train($"{ranks}", ranks, 4, lora), 1e-5);
            runs.SameWeights("one", $"{ranks}", 1e-5);
            Assert.Equal(runs.Number("one", "eval_loss"), runs.Number($"{ranks}", "eval_loss"), 1e-5);
        }
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Full_fine_tuning_agrees_where_some_ranks_see_text_only()
    {
        // Rank 1 of two never sees an image, and no rank does in the second step.
        var data = runs.Tiny.Rows(12, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                if (i % 2 == 1 || i / 4 == 1)
                {
                    MakeText(rows[i]!);
                }
            }
        });
        string[] full =
        [
            "finetuning_type=full", "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "learning_rate=1e-5", "disable_shuffling=true",
            "max_steps=3", "ddp_bucket_cap_mb=0.5", .. data,
        ];
        var one = runs.Train("one", 1, 4, full);
        RankRuns.Near(one, runs.Train("two", 2, 4, full), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    [Fact]
    public void Ranks_without_a_usable_sample_or_with_fewer_micro_batches_do_not_hang()
    {
        // With one sample a batch, rank 1 of two has nothing at all in the first step; later steps have unequal lengths and a short end.
        var data = runs.Tiny.Rows(10, rows =>
        {
            foreach (var i in new[] { 1, 3 })
            {
                rows[i]!["images"] = new JsonArray(RankGroup.BrokenImage);
            }
        });
        string[] uneven =
            [Rate, "on_bad_sample=skip", "disable_shuffling=true", "micro_batch_tokens=150", "max_steps=-1", "num_train_epochs=2", .. data];
        var one = runs.Train("one", 1, 4, uneven);
        Assert.Equal(6, one.Length);
        RankRuns.Near(one, runs.Train("two", 2, 4, uneven), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void The_mean_of_batches_agrees_and_a_run_goes_on_with_another_number_of_ranks()
    {
        string[] mean = [Rate, "loss_reduction=mean", "save_steps=1"];
        var whole = runs.Train("whole", 1, 4, [.. mean, "max_steps=6", "lr_scheduler_type=constant"]);
        foreach (var (ranks, steps) in new[] { (2, 2), (1, 4), (4, 6) })
        {
            string[] resume = steps > 2 ? ["resume_from_checkpoint=true"] : [];
            runs.Train("parts", ranks, 4, [.. mean, $"max_steps={steps}", "lr_scheduler_type=constant", .. resume]);
        }

        RankRuns.Near(whole, runs.Tiny.Losses("parts"), 1e-5);
        runs.SameWeights("whole", "parts", 1e-5);
    }

    protected override void Cleanup() => runs.Dispose();

    internal static void MakeText(JsonNode row)
    {
        row["images"] = new JsonArray();
        foreach (var message in row["messages"]!.AsArray())
        {
            message!["content"] = ((string)message["content"]!).Replace("<image>", string.Empty);
        }
    }
}
