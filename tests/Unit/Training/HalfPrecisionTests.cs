using System.Text.Json.Nodes;
using Fovea.Tests.Parity.MiniMindV;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Training;

/// <summary>Runs in fp16 with a scaled loss: near fp32, resumed bitwise, overflows survived.</summary>
public sealed class HalfPrecisionTests : NativeTest
{
    private readonly TinyRun tiny = new();
    private MiniMindFolder? folder;

    [Fact]
    public void Adapters_of_qwen_learn_as_in_fp32_and_a_resumed_run_is_the_same()
    {
        Run("exact", "max_steps=4");
        Run("whole", "max_steps=4", "fp16=true", "save_steps=2");
        var (exact, whole) = (tiny.Losses("exact"), tiny.Losses("whole"));
        Assert.NotEqual(exact, whole);
        Near(exact, whole, 5e-3);
        Run("again", "max_steps=4", "fp16=true", "save_steps=2", $"resume_from_checkpoint={tiny.Out("whole/checkpoint-2")}");
        Assert.Equal(tiny.Adapter("whole"), tiny.Adapter("again"));
        Assert.Equal(65536, State("again/checkpoint-4")["scale"]!["value"]!.GetValue<double>());
    }

    [Fact]
    public void A_step_that_overflows_is_left_out_and_halves_the_scale()
    {
        Run("out", "max_steps=2", "fp16=true", "lr_scheduler_type=constant");
        Assert.Equal(2, State("out/checkpoint-2")["scale"]!["good_steps"]!.GetValue<int>());
        Change("out/checkpoint-2", state => state["scale"]!["value"] = Math.Pow(2, 60));
        var before = File.ReadAllBytes(tiny.Out("out/checkpoint-2/adapter_model.safetensors"));
        Run("out", "max_steps=4", "fp16=true", "lr_scheduler_type=constant", "resume_from_checkpoint=true");
        var after = State("out/checkpoint-4");
        Assert.Equal((Math.Pow(2, 58), 2), (after["scale"]!["value"]!.GetValue<double>(), after["overflows"]!.GetValue<int>()));
        Assert.Equal(before, tiny.Adapter("out"));
        Assert.Contains("step 3 is left out: gradients overflow fp16", tiny.Log("out"));
        Assert.Equal(4, tiny.Losses("out").Length);
    }

    [Fact]
    public void A_run_whose_every_step_overflows_ends_when_the_scale_is_used_up()
    {
        // The first step makes the adapter larger than fp16 can hold. From then on a smaller scale does not help: 65536 is halved sixteen times down to 1.
        var e = Assert.Throws<TrainingException>(() => Run(
            "out", "max_steps=40", "fp16=true", "learning_rate=1e30", "lr_scheduler_type=constant", "save_strategy=steps", "save_steps=17"));
        Assert.StartsWith("step 18:", e.Message);
        Assert.Contains("Gradients overflow fp16 although they are not scaled any more", e.Message);
        Assert.Equal(16, tiny.Log("out").Split("is left out: gradients overflow fp16").Length - 1);
        var last = State("out/checkpoint-17");
        Assert.Equal((1.0, 16), (last["scale"]!["value"]!.GetValue<double>(), last["overflows"]!.GetValue<int>()));
    }

    [Theory]
    [InlineData("a", "dense")]
    [InlineData("a", "moe")]
    [InlineData("c", "moe")]
    public void Every_weight_of_minimind_learns_as_in_fp32(string generation, string kind)
    {
        folder = new MiniMindFolder(generation, kind);
        string[] minimind =
        [
            $"model_name_or_path={folder.Path}", "finetuning_type=full", "template=null", "dataset_dir=data",
            $"dataset={folder.Data(folder.IsA ? "train.jsonl" : "train.rows.json")}", $"media_dir={folder.Data("images")}", "cutoff_len=288",
            "learning_rate=1e-3", "max_steps=3", "save_strategy=no", "per_device_train_batch_size=2",
        ];
        Run("exact", minimind);
        Run("half", [.. minimind, "fp16=true"]);
        Near(tiny.Losses("exact"), tiny.Losses("half"), 1e-2);
    }

    protected override void Cleanup()
    {
        folder?.Dispose();
        tiny.Dispose();
    }

    private static void Near(double[] exact, double[] half, double tolerance)
    {
        Assert.Equal(exact.Length, half.Length);
        Assert.All(exact.Zip(half), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }

    private void Run(string name, params string[] overrides) =>
        SupervisedFineTune.Run(TrainConfig.Load(tiny.Config, [$"output_dir={tiny.Out(name)}", .. overrides]), []);

    private JsonNode State(string checkpoint) => JsonNode.Parse(File.ReadAllText(tiny.Out($"{checkpoint}/fovea_state.json")))!;

    private void Change(string checkpoint, Action<JsonNode> change)
    {
        var state = State(checkpoint);
        change(state);
        File.WriteAllText(tiny.Out($"{checkpoint}/fovea_state.json"), state.ToJsonString());
    }
}
