using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models;

/// <summary>One model family: how to build it, how its names map, what its parts are.</summary>
/// <param name="ModelType">The <c>model_type</c> of its config.json.</param>
/// <param name="Process">Loads a model folder's tokenizer, template and image stage, with a resize of images that comes first.</param>
/// <param name="Build">Builds it from a config.json, a source of weights (in canonical names) and options.</param>
/// <param name="Canonical">The ledger's spelling of a name found in a checkpoint or adapter.</param>
/// <param name="PartOf">The part that a weight or layer belongs to.</param>
public sealed record Family(
    string ModelType,
    Func<string, PreResize?, ModelProcessor> Process,
    Func<string, IWeightSource, ModelOptions, VisionLanguageModel> Build,
    Func<string, string> Canonical,
    Func<string, ModelPart> PartOf);
