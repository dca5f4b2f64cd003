using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.MiniMindV;

/// <summary>MiniMind-V of both generations.</summary>
internal sealed class MiniMindVFamily : ModelFamily
{
    /// <summary>Both generations' spellings; the ledger has generation C's.</summary>
    public static NameMap Map { get; } = new(MiniMindVNames.Canonical, name => name);

    public override string ModelType => MiniMindVConfig.ModelType;

    public override string Title => "MiniMind-V";

    public override NameMap Names => Map;

    public override FamilyOptions Options { get; } = new MiniMindVOptions();

    public override IModelFiles Files { get; } = new MiniMindVFiles();

    public override bool ReadsResumeFiles => true;

    public override ModelPart PartOf(string name) => Part(name);

    internal static ModelPart Part(string name) =>
        name.StartsWith("vision_encoder.", StringComparison.Ordinal) ? ModelPart.Vision
        : name.StartsWith("vision_proj.", StringComparison.Ordinal) ? ModelPart.Projector
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        MiniMindVProcessor.Load(source, Own(options));

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options) => new MiniMindVModel(
        new Ledger(weights, options.ForLedger(PartOf, Names)), MiniMindVConfig.Read(source), Own(options.Family).MoeAux);

    public override ResumeFile OpenResumeFile(string path, Ledger ledger) => MiniMindVResume.Open(path, ledger);

    public override int CountLayers(ConfigReader json) => MiniMindVConfig.LayersIn(json);

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => MiniMindVFields.Unknown(source);

    private MiniMindVOptions Own(FamilyOptions? options) => options as MiniMindVOptions ?? (MiniMindVOptions)Options;
}
