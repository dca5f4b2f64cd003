using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.MiniCpmV;

/// <summary>MiniCPM-V of any version, and MiniCPM-o's vision side.</summary>
internal sealed class MiniCpmVFamily : ModelFamily
{
    private static readonly string[] Others = ["apm.", "audio_", "tts."];

    public override string ModelType => MiniCpmVConfig.ModelType;

    public override IReadOnlyList<string> OtherTypes => [MiniCpmVConfig.OmniModelType];

    public override string Title => "MiniCPM-V";

    public override NameMap Names => NameMap.Same;

    public override FamilyOptions Options { get; } = new MiniCpmVOptions();

    public override string? TaskType => null;

    public override ModelPart PartOf(string name) =>
        name.StartsWith("resampler.", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("vpm.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    public override ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null) =>
        MiniCpmVProcessor.Load(source, preResize, Own(options));

    public override VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options)
    {
        // V-2 stores a table of sines among its weights.
        var trainable = options with { Trainable = (part, name) => name != $"resampler.{Resampler.FixedPlaces}" && options.Trainable(part, name) };
        var ledger = new Ledger(weights, trainable.ForLedger(PartOf, Names));
        return new MiniCpmVModel(ledger, MiniCpmVConfig.Read(source.Config), Own(options.Family));
    }

    public override IReadOnlyList<string> UnknownFields(ModelSource source) => MiniCpmVFields.Unknown(source);

    /// <summary>Weights for hearing and speaking, and tables of sines that some releases stored.</summary>
    public override bool LeavesAlone(string name) =>
        name is "resampler.pos_embed" or "resampler.temporal_pos_embed" || Others.Any(other => name.StartsWith(other, StringComparison.Ordinal));

    private MiniCpmVOptions Own(FamilyOptions? options) => options as MiniCpmVOptions ?? (MiniCpmVOptions)Options;
}
