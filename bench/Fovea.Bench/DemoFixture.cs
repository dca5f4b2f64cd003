using Fovea.Cli.Demo;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>A job of our own for who has no model at hand: the demonstration's pictures and its small model with random weights.</summary>
internal static class DemoFixture
{
    internal const string Description = "own pictures and a model of two million random weights, as './fovea demo' makes them";

    /// <summary>Writes data, model and configuration below a folder; samples are batched as LLaMA-Factory's examples do it.</summary>
    /// <returns>The configuration's path and the keys to replace in it.</returns>
    public static (string Path, IReadOnlyList<string> Overrides) Write(string root, int pictures = 80)
    {
        var options = new DemoOptions { Output = root, Pictures = pictures, FruitPictures = pictures, HeldOut = 0, AdapterEpochs = 2, AdapterLoggingSteps = 1 };
        var folder = DemoFolder.Create(root);
        DemoData.Write(folder.Data, options);
        StepThread.Run(() => DemoModel.Write(folder.Blank, new DemoTokenizer(DemoData.Texts), options.Seed));
        File.WriteAllText(folder.AdapterConfig, DemoConfigs.Adapter(folder, options));
        return (folder.AdapterConfig,
        [
            $"model_name_or_path={folder.Blank}", $"dataset={DemoData.PicturesName},{DemoData.WordsName}",
            "eval_dataset=", "per_device_train_batch_size=1", "gradient_accumulation_steps=8",
        ]);
    }
}
