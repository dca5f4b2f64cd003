using Fovea.Models.Peft;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>The example, with LLaMA-Factory's keys, run on the tiny model.</summary>
public sealed class ExampleTests : NativeTest
{
    private readonly TempFolder folder = new();

    [Theory]
    [InlineData]
    [InlineData("downsample_mode=4x")]
    public void The_example_runs_with_nothing_changed_but_where_things_lie(params string[] more)
    {
        using var seen = new SeenEvents();
        var config = TrainConfig.Load(
            Path.Combine(TestFiles.Root, "examples", "minicpm_v_4_6_lora_sft.yaml"),
            [
                $"model_name_or_path={TestFiles.Golden("minicpmv4_6/model")}", "dataset=train", $"dataset_dir={TestFiles.Golden("minicpmv4_6/data")}",
                $"output_dir={folder.Path}/out", "vision_cache_dir=none", "max_steps=2", .. more,
            ]);
        SupervisedFineTune.Run(config, [seen]);
        var adapter = PeftConfig.Read(Path.Combine(folder.Path, "out"));
        var expected = Golden.Json(TestFiles.Golden("minicpmv4_6/train_lora.json")).GetProperty("settings").GetProperty("lora_on");
        Assert.Equal(
            expected.EnumerateArray().Select(name => name.GetString()!).Order(),
            adapter.TargetModules!.Select(name => name.Split('.')[^1]).Distinct().Order());
    }

    protected override void Cleanup() => folder.Dispose();
}
