namespace Fovea.Tests.Distributed;

/// <summary>Optimizers other than AdamW on several ranks, at any stage of ZeRO: element by element, in blocks, and matrix by matrix.</summary>
[Trait("Category", "Long")]
public sealed class OptimizerRanksTests : NativeTest
{
    private const string Constant = "lr_scheduler_type=constant";
    private static readonly string[] Full = ["finetuning_type=full"];
    private readonly RankRuns runs = new();

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(3)]
    public void Momentum_is_divided_and_goes_on_with_another_number_of_ranks(int stage)
    {
        string[] keys = ["optim=sgd", "optim_args=momentum=0.9", "learning_rate=0.05", Constant, "save_steps=1"];
        var whole = runs.Train("whole", 1, 4, [.. keys, "max_steps=4"]);
        runs.Train("parts", 2, 4, [.. keys, $"zero={stage}", "max_steps=2"]);
        runs.Train("parts", 1, 4, [.. keys, "max_steps=3", "resume_from_checkpoint=true"]);
        runs.Train("parts", 2, 4, [.. keys, $"zero={stage}", "max_steps=4", "resume_from_checkpoint=true"]);

        RankRuns.Near(whole, runs.Tiny.Losses("parts"), 1e-5);
        runs.SameWeights("whole", "parts", 1e-5);
    }

    [Theory]
    [InlineData("optim=lion", 3)]
    [InlineData("optim=adafactor", 0)]
    [InlineData("use_muon=true", 0)]
    public void Losses_agree_with_one_rank(string optimizer, int stage)
    {
        string[] keys = [optimizer, "learning_rate=1e-3", Constant, "max_steps=4"];
        RankRuns.Near(runs.Train("whole", 1, 4, keys), runs.Train("parts", 2, 4, [.. keys, $"zero={stage}"]), 2e-3);
    }

    [Theory]
    [InlineData("optim=adafactor", 1e-5)]
    [InlineData("use_muon=true", 1e-3)] // in bf16
    public void One_process_may_keep_whole_matrices_in_the_hosts_memory(string optimizer, double tolerance)
    {
        string[] keys = [optimizer, "learning_rate=1e-3", Constant, "max_steps=3"];
        var whole = runs.Train("whole", 1, 4, keys);
        RankRuns.Near(whole, runs.Train("host", 1, 4, [.. keys, "zero=1", "offload=optimizer"]), tolerance);
        runs.SameWeights("whole", "host", tolerance);
    }

    [Theory]
    [InlineData("optim=adafactor", 1, 1e-5)]
    [InlineData("optim=adafactor", 3, 1e-5)]
    [InlineData("use_muon=true", 2, 2e-3)] // in bf16
    [InlineData("use_muon=true", 3, 2e-3)]
    public void Matrices_are_updated_by_one_rank_each(string optimizer, int stage, double tolerance)
    {
        // The gradient of a key's bias is nothing but rounding, which Adafactor brings to the size of an update.
        string[] keys = [optimizer, "learning_rate=1e-3", Constant, "save_steps=1", .. Full];
        var whole = runs.Train("whole", 1, 4, [.. keys, "max_steps=4"]);
        runs.Train("parts", 2, 4, [.. keys, $"zero={stage}", "max_steps=2"]);
        runs.Train("parts", 1, 4, [.. keys, "max_steps=3", "resume_from_checkpoint=true"]);
        runs.Train("parts", 2, 4, [.. keys, $"zero={stage}", "max_steps=4", "resume_from_checkpoint=true"]);

        RankRuns.Near(whole, runs.Tiny.Losses("parts"), tolerance);
        runs.SameWeights("whole", "parts", 10 * tolerance);
    }

    [Theory]
    [InlineData("optim=adafactor", 2)]
    [InlineData("use_muon=true", 3)]
    [InlineData("optim=adamw_8bit", 3)]
    public void Divided_runs_go_on_to_the_last_bit(string optimizer, int stage)
    {
        string[] keys = [optimizer, "learning_rate=1e-3", Constant, "max_steps=3", "save_steps=2", $"zero={stage}", .. Full];
        runs.Train("straight", 2, 4, keys);
        runs.Train("resumed", 2, 4, [.. keys, $"resume_from_checkpoint={runs.Tiny.Out("straight/checkpoint-2")}"]);

        runs.SameWeights("straight", "resumed", 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Blocks_of_8_bits_are_divided_between_ranks(int stage)
    {
        string[] keys = ["optim=adamw_8bit", "learning_rate=1e-4", Constant, "save_steps=1", .. Full];
        var whole = runs.Train("whole", 1, 4, [.. keys, "max_steps=4"]);
        runs.Train("parts", 2, 4, [.. keys, $"zero={stage}", "max_steps=2"]);
        runs.Train("parts", 1, 4, [.. keys, "max_steps=3", "resume_from_checkpoint=true"]);
        runs.Train("parts", 2, 4, [.. keys, $"zero={stage}", "max_steps=4", "resume_from_checkpoint=true"]);

        // A last bit of a gradient may be another code, a hundredth of a number.
        RankRuns.Near(whole, runs.Tiny.Losses("parts"), 1e-4);
        runs.SameWeights("whole", "parts", 1e-4);
    }

    protected override void Cleanup() => runs.Dispose();
}
