using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Writes what a run trained: a PEFT adapter, or the whole model as a Hugging Face folder.</summary>
internal static class ModelSaver
{
    /// <summary>What goes along with a checkpoint whose weights are in the ranks' parts of the optimizer: configuration, tokenizer, processor.</summary>
    public static void SaveCompanions(ModelSetup setup, string baseFolder, string folder)
    {
        ModelWriter.CopyCompanions(baseFolder, folder, setup.Model.Vocabulary);
        ModelWriter.CopyConfig(baseFolder, folder, null, setup.Model.Vocabulary);
    }

    /// <summary>Whether a folder holds the weights of a model.</summary>
    public static bool HasWeights(string folder) => Directory.EnumerateFiles(folder).Select(Path.GetFileName).Any(name =>
        Path.GetExtension(name) is ".safetensors" or ".pth" or ".bin" && !name!.StartsWith("optimizer", StringComparison.Ordinal));

    /// <param name="config">Names the folder of the base model, whose configuration and tokenizer files go along.</param>
    /// <param name="folder">The run's own folder, or that of a checkpoint, which keeps weights that do not learn to the last digit.</param>
    public static void Save(ModelSetup setup, TrainConfig config, string folder)
    {
        var baseFolder = config.Model.ModelNameOrPath;
        if (setup.Adapter is { } adapter)
        {
            setup.Base?.Write(folder);
            PeftAdapter.Save(setup.Model, adapter, folder);
            ModelWriter.CopyCompanions(baseFolder, folder, setup.Model.Vocabulary);
            if (config.Tuning.PissaConvert && adapter.Lora.Start.ChangesBase && folder == config.Run.OutputDir)
            {
                var converted = Path.Combine(folder, InitialAdapter.ConvertedFolderOf(adapter.Lora.Start));
                setup.Base?.Write(converted);
                InitialAdapter.WriteConverted(setup.Model, adapter, converted);
                ModelWriter.CopyCompanions(baseFolder, converted, setup.Model.Vocabulary);
            }
        }
        else if (setup.Family.Files is { } own)
        {
            own.Write(
                setup.Model, baseFolder, folder, config.Tuning.Stage == TrainingStage.Pretrain,
                folder == config.Run.OutputDir ? null : setup.Model.Ledger.Options.Master);
        }
        else
        {
            ModelWriter.WriteInto(setup.Model, setup.Family, baseFolder, folder);
        }
    }
}
