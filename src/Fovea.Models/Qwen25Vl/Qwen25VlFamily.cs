using Fovea.Data.Images;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL.</summary>
internal sealed class Qwen25VlFamily : ModelFamily
{
    public override string ModelType => Qwen25VlConfig.ModelType;

    public override string Title => "Qwen2.5-VL";

    public override NameMap Names => FlatNames.Map;

    public override ModelPart PartOf(string name) => FlatNames.PartOf(name);

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen25VlProcessor.Load(source, preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options) =>
        new Qwen25VlModel(new Ledger(weights, options.ForLedger(PartOf, Names)), Qwen25VlConfig.Read(source.Config));

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => Qwen25VlFields.Unknown(source);
}
