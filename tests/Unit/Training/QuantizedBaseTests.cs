using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Unit.Training;

/// <summary>Runs over a base in 4 bits end as runs do.</summary>
public sealed class QuantizedBaseTests : NativeTest
{
    private static readonly string[] FourBits = ["quantization_bit=4", "max_steps=4"];
    private readonly TinyRun run = new();

    [Fact]
    public void A_resumed_run_ends_bitwise_as_an_uninterrupted_one_and_not_as_one_over_16_bits()
    {
        Works(run.Train("whole", FourBits));
        Works(run.Train("dense", "max_steps=4"));
        Works(run.Train("other", [.. FourBits, "quantization_type=fp4"]));
        Works(run.Train("single", [.. FourBits, "double_quantization=false"]));
        Works(run.Train("stopped", FourBits));
        File.Delete(Path.Combine(run.Out("stopped"), "adapter_model.safetensors"));
        Directory.Delete(Path.Combine(run.Out("stopped"), "checkpoint-4"), recursive: true);
        Works(run.Train("stopped", [.. FourBits, "resume_from_checkpoint=true"]));
        Assert.Equal(run.Adapter("whole"), run.Adapter("stopped"));
        Assert.NotEqual(run.Adapter("whole"), run.Adapter("dense"));
        Assert.NotEqual(run.Adapter("whole"), run.Adapter("other"));
        Assert.NotEqual(run.Adapter("whole"), run.Adapter("single"));
        Assert.Equal(run.Losses("whole")[0], run.Losses("dense")[0], 0.5);
    }

    [Fact]
    public void It_is_planned_evaluated_asked_and_merged_into_the_bases_own_weights()
    {
        Works(run.Train("out", FourBits));
        Works(["plan", run.Config, .. FourBits]);
        Works(["plan", run.Config, .. FourBits, "--zero", "3"]);
        Works(["eval", run.Config, .. FourBits, $"output_dir={run.Out()}", "max_samples=2"]);
        Works(["export", "--model", TinyRun.Model, "--adapter", run.Out(), "--out", run.Out("merged")]);
        Assert.True(new FileInfo(Path.Combine(run.Out("merged"), "model.safetensors")).Length > 100_000);
    }

    protected override void Cleanup() => run.Dispose();

    private static void Works(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join('\n', errors));
    }
}
