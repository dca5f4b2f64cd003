using Fovea.Data.Images;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen2Vl;

/// <summary>Qwen2-VL.</summary>
internal sealed class Qwen2VlFamily : ModelFamily
{
    public override string ModelType => Qwen2VlConfig.ModelType;

    public override string Title => "Qwen2-VL";

    public override NameMap Names => FlatNames.Map;

    public override ModelPart PartOf(string name) => FlatNames.PartOf(name);

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen2VlProcessor.Load(source, preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options) =>
        new Qwen2VlModel(new Ledger(weights, options.ForLedger(PartOf, Names)), Qwen2VlConfig.Read(source.Config));

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => Qwen2VlFields.Unknown(source);
}
