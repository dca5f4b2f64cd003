using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>A base in 4 bits gives the losses and adapters of one rank, whether every rank has all of it or a share; and such runs go on bitwise.</summary>
public sealed class FourBitRanksTests : NativeTest
{
    private static readonly string[] FourBits = ["quantization_bit=4", "learning_rate=1e-4", "lora_dropout=0.1", "max_steps=3"];
    private readonly RankRuns runs = new();

    [Fact]
    public void Two_ranks_agree_with_one_at_every_stage()
    {
        var one = runs.Train("one", 1, 4, FourBits);
        foreach (var (stage, offload) in new[] { (0, "none"), (1, "none"), (2, "optimizer"), (3, "none"), (3, "cpu") })
        {
            var name = $"{stage} {offload}";
            RankRuns.Near(one, runs.Train(name, 2, 4, [.. FourBits, $"zero={stage}", $"offload={offload}"]), 1e-5);
            runs.SameWeights("one", name, 1e-5);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_base_that_is_in_4_bits_in_its_files_is_divided_too(int stage)
    {
        var written = runs.Tiny.Out("written");
        var (code, errors) = FailureTests.Invoke(
            ["export", "--model", TinyRun.Model, "--out", written, "export_quantization_bit=4", "llm_int8_skip_modules=[lm_head]"]);
        Assert.True(code == 0, string.Join('\n', errors));
        string[] over = [$"model_name_or_path={written}", "use_dora=true", .. FourBits[1..]];
        var one = runs.Train("one", 1, 4, over);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. over, $"zero={stage}"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_resumed_run_ends_bitwise_as_an_uninterrupted_one(int stage)
    {
        string[] two = [.. FourBits[..^1], $"zero={stage}", "lr_scheduler_type=constant"];
        runs.Train("whole", 2, 4, [.. two, "max_steps=4"]);
        runs.Train("parts", 2, 4, [.. two, "max_steps=2", "save_steps=2"]);
        runs.Train("parts", 2, 4, [.. two, "max_steps=4", "save_steps=2", "resume_from_checkpoint=true"]);
        Assert.Equal(runs.Tiny.Losses("whole"), runs.Tiny.Losses("parts"));
        Assert.Equal(runs.Tiny.Adapter("whole"), runs.Tiny.Adapter("parts"));
    }

    protected override void Cleanup() => runs.Dispose();
}
