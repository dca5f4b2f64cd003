using System.Text.Json;
using Fovea.Cli;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Optim;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Training;

/// <summary>Rates of the vision tower and the projector (<c>vit_lr</c>, <c>aligner_lr</c>) as ms-swift divides them.</summary>
[Trait("Category", "Long")]
public sealed class PartRateTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public void Twenty_steps_are_those_of_ms_swifts_groups()
    {
        var golden = JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("optim/part_lr.json"))).RootElement;
        string[] keys =
        [
            "learning_rate=1e-3", "vit_lr=1e-4", "aligner_lr=5e-3", "weight_decay=0.1", "max_steps=20", "warmup_steps=2", "gradient_accumulation_steps=8",
            "disable_shuffling=true", "max_samples=64", "freeze_vision_tower=false", "freeze_multi_modal_projector=false",
            $"adapter_name_or_path={Adapter(golden)}", "save_strategy=no",
        ];

        Assert.Equal(0, Program.Main(run.Train("parts", keys)));
        var log = golden.GetProperty("log").EnumerateArray().Select(step => step.GetProperty("loss").GetDouble()).ToList();
        var losses = run.Losses("parts");
        Assert.Equal(20, losses.Length);
        Assert.All(log.Zip(losses), pair => Assert.Equal(pair.First, pair.Second, 2e-4));

        // One rate for all parts is another run.
        Assert.Equal(0, Program.Main(run.Train("one", [.. keys, "vit_lr=null", "aligner_lr=null", "max_steps=4"])));
        Assert.NotEqual(log[3], run.Losses("one")[3], 2e-4);
    }

    [Fact]
    public void Weights_fall_into_the_groups_of_ms_swift()
    {
        // Its callback on this model, all weights learning: vision, merger and language model, each without and with weight decay.
        int[] expected = [20, 29, 2, 3, 21, 30];
        var config = Config("finetuning_type: full\nfreeze_vision_tower: false\nfreeze_multi_modal_projector: false\nvit_lr: 1.0e-4\naligner_lr: 5.0e-3");
        var source = ModelSource.Open(TinyRun.Model);
        using var shapes = ModelShapes.Load(config, source);
        var groups = shapes.Model.Ledger.Trainable
            .GroupBy(p => (Rate: 1e-3 * RateRule.Factor(config, p, source.Family.PartOf(p.Name)), Decays: DecayRule.Applies(p)))
            .ToDictionary(group => (Math.Round(group.Key.Rate, 9), group.Key.Decays), group => group.Count());

        Assert.Equal(expected, new[] { 1e-4, 5e-3, 1e-3 }.SelectMany(rate => new[] { groups[(rate, false)], groups[(rate, true)] }));
        Assert.Equal(expected.Length, groups.Count);
    }

    [Theory]
    [InlineData("vit_lr: 1.0e-4", "vit_lr: nothing of the vision tower is trainable; freeze_vision_tower: false trains it")]
    [InlineData("aligner_lr: 1.0e-4\nfreeze_vision_tower: false", "aligner_lr: nothing of the projector is trainable")]
    public void A_rate_for_what_is_frozen_is_refused(string lines, string problem)
    {
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => PlanRun.Run(Config(lines), new MemoryPlanRequest { Ranks = [1] })).Message);
        string[] keys = [.. lines.Split('\n').Select(line => line.Replace(": ", "=")), "max_steps=1"];
        Assert.NotEqual(0, Program.Main(run.Train("frozen", keys)));
    }

    [Fact]
    public void They_follow_the_schedule_of_a_rate_that_is_not_zero() => Assert.Contains(
        "need a learning_rate above 0", Assert.Throws<ConfigException>(() => Config("learning_rate: 0\nvit_lr: 1.0e-4")).Message);

    protected override void Cleanup() => run.Dispose();

    private static TrainConfig Config(string lines) => TrainConfig.Parse(
        $"model_name_or_path: {TinyRun.Model}\nuse_cpu: true\n{(lines.Contains("learning_rate") ? string.Empty : "learning_rate: 1.0e-3\n")}{lines}", "c.yaml",
        use: ConfigUse.Plan);

    /// <summary>The adapter that the golden began with: its A, and a B of zeros.</summary>
    private string Adapter(JsonElement golden)
    {
        using var scope = TensorScope.Open("test");
        var folder = Directory.CreateDirectory(run.Out("adapter")).FullName;
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), golden.GetProperty("config").GetRawText());
        using var saved = Checkpoint.Open(TestFiles.Golden("optim/part_lr.safetensors"));
        var sources = golden.GetProperty("shapes").EnumerateObject().Select(one =>
        {
            long[] shape = [.. one.Value.EnumerateArray().Select(size => size.GetInt64())];
            if (!saved.Tensors.TryGetValue(one.Name, out var entry))
            {
                return TensorBytes.Source(one.Name, CreateOps.Zeros(shape));
            }

            entry.Memory.AddRef();
            return TensorBytes.Source(one.Name, CreateOps.FromMemory(entry.Address, shape, entry.DType, entry.Memory.Release));
        }).ToList();
        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"), sources);
        return folder;
    }
}
