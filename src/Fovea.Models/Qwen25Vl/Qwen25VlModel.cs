using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL: vision tower, merger and Qwen2 decoder with M-RoPE.</summary>
internal sealed class Qwen25VlModel : VisionLanguageModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>visual.*</c>, <c>model.*</c>, <c>lm_head.weight</c>).</param>
    public Qwen25VlModel(Ledger ledger, Qwen25VlConfig config)
        : base(ledger)
    {
        Config = config;
        Vision = new Qwen25VlVision(ledger.Root / "visual", config.Vision);
        Language = new Qwen25VlLanguage(ledger.Root, config);
    }

    public Qwen25VlConfig Config { get; }

    public Qwen25VlVision Vision { get; }

    public Qwen25VlLanguage Language { get; }

    public override Parameter Head => Language.Head;

    public override int Layers => Config.Layers;

    public override (int Heads, int Size) KeyValueShape => (Config.KeyValueHeads, Config.HeadSize);

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => Qwen25VlFamily.Map;

    public override int MostPatches(int pixels, int tokens)
    {
        var (patch, merge) = (Config.Vision.PatchSize, Config.Vision.MergeSize);
        return Math.Min(pixels / (patch * patch), merge * merge * tokens);
    }

    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start) =>
        MultimodalRotary.Place(ids, images, Config, positions, start);

    protected internal override int[][] PositionsAt(int place) => [[place], [place], [place]];

    public override VisualFeatures? VisionFeatures(ModelInput input) =>
        input.Pixels is null ? null : new VisualFeatures(Vision.Forward(input.Pixels, input.Grids));

    public override ImageGrid UsualImage => new(1, 16 * Config.Vision.MergeSize, 16 * Config.Vision.MergeSize);

    public override int PatchLength => Config.Vision.PatchLength;

    public override int FeatureRows(ImageGrid grid) => grid.MergedTokens(Config.Vision.MergeSize);

    public override Tensor Hidden(ModelInput input, VisualFeatures? features) =>
        Language.Forward(input.Ids, input.Positions, input.Attention, features?.At(input), input.Wanted);
}
