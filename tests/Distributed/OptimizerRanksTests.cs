namespace Fovea.Tests.Distributed;

/// <summary>Optimizers other than AdamW on several ranks: element by element at any stage of ZeRO, those that look at matrices without it.</summary>
[Trait("Category", "Long")]
public sealed class OptimizerRanksTests : NativeTest
{
    private const string Constant = "lr_scheduler_type=constant";
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

    [Fact]
    public void Divided_matrices_are_refused_on_every_rank()
    {
        var refused = Assert.ThrowsAny<Exception>(() => runs.Train("parts", 2, 4, "optim=adafactor", "zero=2", "max_steps=1"));
        Assert.Contains("optim: adafactor needs whole weights, and zero: 2 gives each of 2 processes parts", refused.ToString());
    }

    protected override void Cleanup() => runs.Dispose();
}
