using Fovea.Data.Images;
using Fovea.Models.Grids;
using Fovea.Models.Qwen3Vl;
using Fovea.Nn;

namespace Fovea.Models.Qwen3VlMoe;

/// <summary>Qwen3-VL with a mixture of experts in the language model; the rest is the dense models'.</summary>
internal sealed class Qwen3VlMoeFamily : ModelFamily
{
    public override string ModelType => Qwen3VlMoeConfig.ModelType;

    public override string Title => "Qwen3-VL-MoE";

    public override NameMap Names => NameMap.Same;

    public override FamilyOptions Options { get; } = new ExpertOptions();

    public override ModelPart PartOf(string name) => Qwen3VlFamily.Part(name);

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        Qwen3VlProcessor.Load(source, Qwen3VlMoeConfig.Read(source.Config), preResize);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options)
    {
        var config = Qwen3VlMoeConfig.Read(source.Config);
        return new Qwen3VlModel(new Ledger(weights, options.ForLedger(PartOf)), config, root => new Qwen3VlMoeLanguage(root, config))
        {
            RouterLoss = (options.Family as ExpertOptions)?.MoeAuxLossCoef ?? 0,
        };
    }

    public override IReadOnlyList<string> UnknownFields(ModelSource source) =>
        [.. Qwen3VlMoeFields.Check(source.Config), .. GridImages.Check(source.Folder)];
}
