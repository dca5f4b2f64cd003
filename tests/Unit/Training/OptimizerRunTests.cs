using Fovea.Cli;
using Fovea.Files.Safetensors;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Training;

/// <summary>Whole runs with each optimizer: they learn, go on to the last bit, and keep as much as the plan says.</summary>
[Trait("Category", "Long")]
public sealed class OptimizerRunTests : NativeTest
{
    private readonly TinyRun run = new();

    [Theory]
    [InlineData("optim=sgd", "optim_args=momentum=0.9,nesterov=true", "learning_rate=0.05")]
    [InlineData("optim=lion_32bit", "learning_rate=1e-3")]
    [InlineData("optim=adafactor", "learning_rate=1e-2")]
    [InlineData("use_muon=true", "learning_rate=1e-2")]
    public void Runs_learn_resume_and_fit_the_plan(params string[] keys)
    {
        string[] four = [.. keys, "max_steps=4", "lr_scheduler_type=constant", "save_steps=2"];
        Assert.Equal(0, Program.Main(run.Train("straight", four)));
        var losses = run.Losses("straight");
        Assert.True(losses[^1] < losses[0], string.Join(", ", losses));

        Assert.Equal(0, Program.Main(run.Train("resumed", [.. four, $"resume_from_checkpoint={run.Out("straight/checkpoint-2")}"])));
        Assert.Equal(File.ReadAllBytes(run.Out("straight/adapter_model.safetensors")), File.ReadAllBytes(run.Out("resumed/adapter_model.safetensors")));

        var config = TrainConfig.Load(run.Config, [.. four, "output_dir=o"], ConfigUse.Plan);
        var planned = PlanRun.Run(config, new MemoryPlanRequest { Ranks = [1] }).Rows[0].Optimizer;
        using var saved = Checkpoint.Open(run.Out("straight/checkpoint-2/optimizer.safetensors"));
        var kept = saved.Tensors.Where(t => !t.Key.EndsWith(".step", StringComparison.Ordinal) && t.Key != "rng_state")
            .Sum(t => t.Value.Shape.Aggregate(1L, (product, size) => product * size) * sizeof(float));
        Assert.InRange(planned, kept - 64, kept);
    }

    [Fact]
    public void Eight_bits_learn_resume_and_fit_the_plan()
    {
        string[] four =
        [
            "optim=adamw_8bit", "finetuning_type=full", "learning_rate=1e-3", "max_steps=4", "lr_scheduler_type=constant", "save_steps=2",
        ];
        Assert.Equal(0, Program.Main(run.Train("straight", four)));
        var losses = run.Losses("straight");
        Assert.True(losses[^1] < losses[0], string.Join(", ", losses));

        Assert.Equal(0, Program.Main(run.Train("resumed", [.. four, $"resume_from_checkpoint={run.Out("straight/checkpoint-2")}"])));
        Assert.Equal(File.ReadAllBytes(run.Out("straight/model.safetensors")), File.ReadAllBytes(run.Out("resumed/model.safetensors")));
        Assert.Equal(
            File.ReadAllBytes(run.Out("straight/checkpoint-4/optimizer.safetensors")),
            File.ReadAllBytes(run.Out("resumed/checkpoint-4/optimizer.safetensors")));

        var config = TrainConfig.Load(run.Config, [.. four, "output_dir=o"], ConfigUse.Plan);
        var planned = PlanRun.Run(config, new MemoryPlanRequest { Ranks = [1] }).Rows[0].Optimizer;
        using var saved = Checkpoint.Open(run.Out("straight/checkpoint-2/optimizer.safetensors"));
        string[] others = [".step", ".master"];
        var kept = saved.Tensors.Where(t => !others.Contains(Path.GetExtension(t.Key)) && t.Key != "rng_state").Sum(t => t.Value.Bytes);
        Assert.InRange(planned, kept - 64, kept + 64);
    }

    protected override void Cleanup() => run.Dispose();
}
