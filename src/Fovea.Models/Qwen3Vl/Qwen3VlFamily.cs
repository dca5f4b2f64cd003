using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.Qwen3Vl;

/// <summary>Qwen3-VL, the dense models and those with experts.</summary>
internal sealed class Qwen3VlFamily : ModelFamily
{
    public override string ModelType => Qwen3VlConfig.ModelType;

    public override IReadOnlyList<string> OtherTypes => [Qwen3VlConfig.ExpertsType];

    public override FamilyOptions Options { get; } = new ExpertOptions();

    public override string Title => "Qwen3-VL";

    /// <summary>Every release has <c>model.visual.*</c>, <c>model.language_model.*</c> and, where it is not tied, <c>lm_head</c>.</summary>
    public override NameMap Names => NameMap.Same;

    public override ModelPart PartOf(string name) =>
        name.StartsWith("model.visual.merger", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("model.visual.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen3VlProcessor.Load(source, preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options)
    {
        var config = Qwen3VlConfig.Read(source.Config);
        var routers = ExpertOptions.RouterLoss(options.Family, config.Experts, source.Folder);
        return new Qwen3VlModel(new Ledger(weights, options.ForLedger(PartOf, Names)), config) { RouterLoss = routers };
    }

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => Qwen3VlFields.Unknown(source);
}
