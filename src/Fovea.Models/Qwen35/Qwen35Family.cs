using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.Qwen35;

/// <summary>Qwen3.5, the dense models and those with experts.</summary>
internal sealed class Qwen35Family : ModelFamily
{
    public override string ModelType => Qwen35Config.ModelType;

    public override IReadOnlyList<string> OtherTypes => [Qwen35Config.ExpertsType];

    public override FamilyOptions Options { get; } = new ExpertOptions();

    public override string Title => "Qwen3.5";

    /// <summary>Every release has <c>model.visual.*</c>, <c>model.language_model.*</c> and, where it is not tied, <c>lm_head</c>.</summary>
    public override NameMap Names => NameMap.Same;

    public override ModelPart PartOf(string name) =>
        name.StartsWith("model.visual.merger", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("model.visual.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen35Processor.Load(source, preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options)
    {
        var config = Qwen35Config.Read(source.Config);
        var routers = ExpertOptions.RouterLoss(options.Family, config.Experts, source.Folder);
        return new Qwen35Model(new Ledger(weights, options.ForLedger(PartOf, Names)), config) { RouterLoss = routers };
    }

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => Qwen35Fields.Unknown(source);

    /// <summary>Uploads made by other programs have them so.</summary>
    public override bool StacksExperts => true;

    /// <summary>The weights that guess several tokens at once.</summary>
    public override bool LeavesAlone(string name) => name.StartsWith("mtp.", StringComparison.Ordinal);

    public override string? NoticeOf(int leftAlone) => $"{leftAlone} weights mtp.* (the prediction of several tokens at once) are neither used nor trained; "
        + "exports keep them as they are";
}
