namespace Fovea.Models;

/// <summary>A family's own layout of weight files, where a model folder is not in the hub's.</summary>
internal interface IModelFiles
{
    /// <summary>Opens the weights of a model folder.</summary>
    /// <param name="weights">A file that replaces the folder's own; null is none.</param>
    WeightFiles Open(ModelSource source, string? weights = null);

    /// <summary>Writes weights and config.json of such a model into a folder.</summary>
    /// <param name="pretraining">Which stage of training the project's own file is named after; null writes safetensors.</param>
    /// <param name="dtype">Null is the family's own choice.</param>
    /// <returns>The names of the files written.</returns>
    IReadOnlyList<string> Write(VisionLanguageModel model, string sourceFolder, string targetFolder, bool? pretraining, DType? dtype);
}
