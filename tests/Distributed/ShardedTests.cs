namespace Fovea.Tests.Distributed;

/// <summary>ZeRO divides what is stored, not what is computed: every stage gives the losses and weights of one rank without it.</summary>
public sealed class ShardedTests : NativeTest
{
    private const string Rate = "learning_rate=1e-4";
    private readonly RankRuns runs = new();

    [Theory]
    [InlineData(1, "none")]
    [InlineData(2, "optimizer")]
    [InlineData(3, "none")]
    public void Adapters_agree_with_one_rank(int stage, string offload)
    {
        string[] lora = [Rate, "lora_dropout=0.1", "val_size=7", "max_steps=3", "eval_strategy=steps", "eval_steps=3", "per_device_eval_batch_size=2"];
        var one = runs.Train("one", 1, 4, lora);
        foreach (var ranks in stage == 3 ? new[] { 1, 2, 4 } : [2])
        {
            RankRuns.Near(one, runs.Train($"{ranks}", ranks, 4, [.. lora, $"zero={stage}", $"offload={offload}"]), 1e-5);
            runs.SameWeights("one", $"{ranks}", 1e-5);
            Assert.Equal(runs.Number("one", "eval_loss"), runs.Number($"{ranks}", "eval_loss"), 1e-5);
        }
    }

    [Theory]
    [InlineData(1, "none")]
    [InlineData(2, "none")]
    [InlineData(3, "cpu")]
    public void Full_fine_tuning_agrees_with_one_rank_where_some_ranks_see_text_only(int stage, string offload)
    {
        // Rank 1 of two never sees an image, and no rank does in the second step.
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
            "finetuning_type=full", "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "learning_rate=1e-5", "disable_shuffling=true",
            "max_steps=3", .. data,
        ];
        var one = runs.Train("one", 1, 4, full);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. full, $"zero={stage}", $"offload={offload}"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    protected override void Cleanup() => runs.Dispose();
}
