using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>One model family: how to build it, how its names map, what its parts are.</summary>
/// <param name="ModelType">The <c>model_type</c> of its config.json.</param>
/// <param name="Process">Loads a model folder's tokenizer, template and media processor, with a resize of images that comes first.</param>
/// <param name="Build">Builds it from a config.json, a source of weights (in canonical names) and options.</param>
/// <param name="Canonical">The ledger's spelling of a name found in a checkpoint or adapter.</param>
/// <param name="PartOf">The part that a weight or layer belongs to.</param>
public sealed record Family(
    string ModelType,
    Func<string, PreResize?, ModelProcessor> Process,
    Func<string, IWeightSource, ModelOptions, VisionLanguageModel> Build,
    Func<string, string> Canonical,
    Func<string, ModelPart> PartOf)
{
    /// <summary>
    /// Opens the weights of a model folder that is not the hub's usual one, or those of a file that is to replace the folder's own (null is none); null for
    /// Transformers' files under the checkpoint's names.
    /// </summary>
    public Func<string, string?, WeightFiles>? Open { get; init; }

    /// <summary>Reads the file from which the family's own training scripts go on, for a built model; null where there is no such file.</summary>
    public Func<string, Ledger, ResumeFile>? Resume { get; init; }

    /// <summary>
    /// Writes weights and config.json of such a model into a folder: model, source folder, target folder, the stage whose name the project's own file
    /// takes (null for safetensors), element type (null for the family's own). Returns the names of the files.
    /// </summary>
    public Func<VisionLanguageModel, string, string, string?, DType?, IReadOnlyList<string>>? Write { get; init; }

    /// <summary>Layers of the language model as its config.json counts them.</summary>
    public Func<ConfigReader, int> CountLayers { get; init; } = json => (json.Section("text_config") ?? json).Int("num_hidden_layers");

    /// <summary>Other <c>model_type</c>s that it reads.</summary>
    public IReadOnlyList<string> OtherTypes { get; init; } = [];

    /// <summary>What PEFT is told that the model is for; null for models that only their own code can use.</summary>
    public string? TaskType { get; init; } = "CAUSAL_LM";

    /// <summary>Fields of a model folder's JSON files that nobody knows and whose names say nothing.</summary>
    public Func<string, IReadOnlyList<string>> UnknownFields { get; init; } = _ => [];

    /// <summary>Weights that it does not use, and that are written back as they were.</summary>
    public Func<string, bool> LeavesAlone { get; init; } = _ => false;
}
