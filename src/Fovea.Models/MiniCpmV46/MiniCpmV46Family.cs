using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.MiniCpmV46;

/// <summary>MiniCPM-V-4.6.</summary>
internal sealed class MiniCpmV46Family : ModelFamily
{
    public override string ModelType => MiniCpmV46Config.ModelType;

    public override string Title => "MiniCPM-V-4.6";

    /// <summary>Every release has <c>model.vision_tower.*</c>, <c>model.merger.*</c>, <c>model.language_model.*</c> and no head of its own.</summary>
    public override NameMap Names => NameMap.Same;

    public override FamilyOptions Options { get; } = new MiniCpmV46Options();

    public override ModelPart PartOf(string name) =>
        name.StartsWith("model.merger.", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("model.vision_tower.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        MiniCpmV46Processor.Load(source, options as MiniCpmV46Options);

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options)
    {
        var config = MiniCpmV46Config.Read(source.Config);
        var keeps = Downsampling.Keeps((options.Family as MiniCpmV46Options)?.DownsampleMode, config.KeepsWindows);
        var ledger = options with
        {
            // Nothing reaches the merger that is left out.
            Trainable = (part, name) => !(keeps && name.StartsWith(WindowMerger.Path, StringComparison.Ordinal)) && options.Trainable(part, name),
        };
        return new MiniCpmV46Model(new Ledger(weights, ledger.ForLedger(PartOf, Names)), config, SliceFile.Read(source.Folder, config).Slicing, keeps);
    }

    /// <summary>The weights that guess several tokens at once, where a release has them.</summary>
    public override bool LeavesAlone(string name) => name.StartsWith("mtp.", StringComparison.Ordinal);

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => MiniCpmV46Fields.Unknown(source);
}
