using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.Qwen3Vl;

/// <summary>Qwen3-VL, the dense models.</summary>
internal sealed class Qwen3VlFamily : ModelFamily
{
    public override string ModelType => Qwen3VlConfig.ModelType;

    public override string Title => "Qwen3-VL";

    /// <summary>Every release has <c>model.visual.*</c>, <c>model.language_model.*</c> and, where it is not tied, <c>lm_head</c>.</summary>
    public override NameMap Names => NameMap.Same;

    public override ModelPart PartOf(string name) => Part(name);

    internal static ModelPart Part(string name) =>
        name.StartsWith("model.visual.merger", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("model.visual.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen3VlProcessor.Load(source, Qwen3VlConfig.Read(source.Config), preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options) =>
        new Qwen3VlModel(new Ledger(weights, options.ForLedger(PartOf)), Qwen3VlConfig.Read(source.Config));

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => Qwen3VlFields.Unknown(source);
}
