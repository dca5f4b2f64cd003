using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// LLaMA-Factory's own demo run (its trainer, its YAML, its data, the real Qwen2.5 tokenizer) against ours, from the same adapter. The data tests compare
/// ids, labels and order exactly; here the numbers of every step. The reference's losses scatter by 4e-3 / sqrt(trained tokens) a sample around ours,
/// in fp32 and in bf16 alike, as a forward pass in bf16 does; hence the tolerance.
/// </summary>
public sealed class LlamaFactoryTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-lf").FullName;

    [Fact]
    public void The_demo_run_logs_the_same_losses_norms_and_rates()
    {
        var golden = TestFiles.Shared("golden/qwen2_5_vl_realtok") ?? TestFiles.SkipMissing("golden/qwen2_5_vl_realtok");
        var expected = Golden.Json(Path.Combine(golden, "train.json")).GetProperty("log").EnumerateArray().Where(e => e.TryGetProperty("loss", out _)).ToList();
        var config = Config(golden);
        var outcome = SupervisedFineTune.Run(config, []);
        Assert.False(outcome.Interrupted);

        var actual = TrainerState.Load(Path.Combine(config.Run.OutputDir, TrainerState.FileName)).LogHistory.Where(e => e.ContainsKey("loss")).ToList();
        Assert.Equal(22, expected.Count);
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < actual.Count; i++)
        {
            double Theirs(string key) => expected[i].GetProperty(key).GetDouble();
            double Ours(string key) => Convert.ToDouble(actual[i][key]);
            Assert.Equal(Theirs("learning_rate"), Ours("learning_rate"), 1e-12);
            Assert.Equal(Theirs("epoch"), Ours("epoch"), 1e-9);
            Assert.Equal(Theirs("loss"), Ours("loss"), 1e-3);
            Assert.Equal(1, Ours("grad_norm") / Theirs("grad_norm"), 0.02);
        }
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private TrainConfig Config(string golden)
    {
        var model = Directory.CreateDirectory(Path.Combine(folder, "model")).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(golden, "model")).Append(TestFiles.Shared("data/tokenizers/qwen2_5/tokenizer.json")!))
        {
            File.CreateSymbolicLink(Path.Combine(model, Path.GetFileName(file)), file);
        }

        var data = TestFiles.Shared("data/llamafactory_demo");
        return TrainConfig.Load(Path.Combine(golden, "config.yaml"),
        [
            $"model_name_or_path={model}", $"dataset_dir={data}", $"media_dir={data}", $"output_dir={Path.Combine(folder, "out")}",
            $"adapter_name_or_path={Path.Combine(golden, "adapter_init")}", "loss_reduction=mean",
        ]);
    }
}
