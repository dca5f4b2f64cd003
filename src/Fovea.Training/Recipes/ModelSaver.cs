using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Models.Saving;

namespace Fovea.Training.Recipes;

/// <summary>Writes what a run trained: a PEFT adapter, or the whole model as a Hugging Face folder.</summary>
public static class ModelSaver
{
    /// <summary>What goes along with a checkpoint whose weights are in the ranks' parts of the optimizer: configuration, tokenizer, processor.</summary>
    public static void SaveCompanions(string baseFolder, string folder)
    {
        ModelWriter.CopyCompanions(baseFolder, folder);
        File.Copy(Families.ConfigPath(baseFolder), Families.ConfigPath(folder));
    }

    /// <summary>Whether a folder holds the weights of a model.</summary>
    public static bool HasWeights(string folder) => Directory.EnumerateFiles(folder, "model*.safetensors").Any();

    /// <param name="baseFolder">The folder of the base model, whose configuration and tokenizer files go along with a whole model.</param>
    public static void Save(ModelSetup setup, string baseFolder, string folder)
    {
        if (setup.Adapter is { } adapter)
        {
            PeftAdapter.Save(setup.Model, adapter, folder);
            ModelWriter.CopyCompanions(baseFolder, folder);
        }
        else
        {
            ModelWriter.WriteInto(setup.Model, setup.Family, baseFolder, folder);
        }
    }
}
