using Fovea.Models.Peft;
using Fovea.Models.Saving;

namespace Fovea.Training.Recipes;

/// <summary>Writes what a run trained: a PEFT adapter, or the whole model as a Hugging Face folder.</summary>
public static class ModelSaver
{
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
