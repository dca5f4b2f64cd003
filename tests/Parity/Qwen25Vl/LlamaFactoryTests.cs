using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Engine;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>LLaMA-Factory's own demo run (its trainer, its data, the real Qwen2.5 tokenizer) against ours, from the same adapter and with its settings.</summary>
public sealed class LlamaFactoryTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-lf").FullName;

    [Fact]
    public void Micro_batch_losses_before_the_first_update_agree()
    {
        var config = Config();
        var golden = Golden.Json(TestFiles.Shared("golden/qwen2_5_vl_realtok/train.json")!).GetProperty("batches");
        var setup = DataSetup.From(config);
        using var data = DatasetLoader.Load(setup.Options);
        using var model = ModelSetup.Load(config, null);
        var order = new SampleOrder(DataSetup.Order(config, data.Train.Count, 0, 1));
        using var pipeline = new DataPipeline(
            data.Train, setup.NewEncoder(), setup.Images, order, new PlanOptions { MicroBatchTokens = 1 }, DataSetup.Pipeline(config, 0, 1));
        Assert.True(pipeline.TryNext(out var step));
        using (step)
        {
            var runner = new StepRunner(model.Model, visionLearns: false);
            var worst = 0.0;
            for (var i = 0; i < step.MicroBatches.Count; i++)
            {
                var loss = runner.Evaluate(step.MicroBatches[i]).TokenLosses.Average();
                worst = Math.Max(worst, Math.Abs(golden[i].GetProperty("loss").GetDouble() - loss));
                Console.WriteLine($"{i} {step.MicroBatches[i].Patches} {golden[i].GetProperty("loss").GetDouble()} {loss}");
            }

            Assert.True(worst < 1e-4, $"worst {worst}");
        }
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private TrainConfig Config()
    {
        var golden = TestFiles.Shared("golden/qwen2_5_vl_realtok") ?? TestFiles.SkipMissing("golden/qwen2_5_vl_realtok");
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
