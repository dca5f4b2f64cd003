using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL.</summary>
internal sealed class Qwen25VlFamily : ModelFamily
{
    /// <summary>
    /// Newer releases write the tree as <c>model.visual.*</c>, <c>model.language_model.*</c>; the hub and the ledger have
    /// <c>visual.*</c>, <c>model.*</c>.
    /// </summary>
    public static NameMap Map { get; } = new(ToLedger, ToModule);

    public override string ModelType => Qwen25VlConfig.ModelType;

    public override string Title => "Qwen2.5-VL";

    public override NameMap Names => Map;

    public override ModelPart PartOf(string name) =>
        name.StartsWith("visual.merger", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("visual.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen25VlProcessor.Load(source, preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options) =>
        new Qwen25VlModel(new Ledger(weights, options.ForLedger(PartOf)), Qwen25VlConfig.Read(source.Config));

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => Qwen25VlFields.Unknown(source);

    private static string ToLedger(string name)
    {
        const string vision = "model.visual.";
        const string language = "model.language_model.";
        return name.StartsWith(vision, StringComparison.Ordinal) ? name["model.".Length..]
            : name.StartsWith(language, StringComparison.Ordinal) ? $"model.{name[language.Length..]}"
            : name;
    }

    private static string ToModule(string name) =>
        name.StartsWith("visual.", StringComparison.Ordinal) ? $"model.{name}"
        : name.StartsWith("model.", StringComparison.Ordinal) ? $"model.language_model.{name["model.".Length..]}"
        : name;
}
