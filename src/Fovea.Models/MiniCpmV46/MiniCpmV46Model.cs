using Fovea.Data.Images;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.MiniCpmV46;

/// <summary>MiniCPM-V-4.6: vision tower over slices, merger, and Qwen3.5's language model, whose tokens have plain places.</summary>
internal sealed class MiniCpmV46Model : GridModel
{
    private readonly SliceSettings slicing;
    private readonly TokenMerger merger;
    private readonly int side;

    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>model.vision_tower.*</c>, <c>model.merger.*</c>).</param>
    /// <param name="slicing">How pictures are cut.</param>
    /// <param name="keepsWindows">Whether windows of patches are not merged inside the tower.</param>
    public MiniCpmV46Model(Ledger ledger, MiniCpmV46Config config, SliceSettings slicing, bool keepsWindows)
        : base(ledger, new PatchShape(config.Vision.PatchSize, 1, 3, Downsampling.Side(keepsWindows)), config.ImageTokenId)
    {
        (Config, this.slicing, side) = (config, slicing, Downsampling.Side(keepsWindows));
        Vision = new MiniCpmV46Vision(ledger.Root / "model" / "vision_tower", config.Vision, keepsWindows);
        var block = (ledger.Root / "model" / "merger").Block(ModelPart.Projector, "projector", BlockKind.Single);
        merger = new TokenMerger(block, config.Vision.HiddenSize, config.HiddenSize);
        Language = new MiniCpmV46Language(ledger.Root, config);
    }

    public MiniCpmV46Config Config { get; }

    public MiniCpmV46Vision Vision { get; }

    public override GridLanguage Language { get; }

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => NameMap.Same;

    public override ImageGrid UsualImage => new(1, slicing.Resolution / slicing.PatchSize, slicing.Resolution / slicing.PatchSize);

    /// <summary>Slices have the area of the model's resolution; where there are several, the whole image is one more.</summary>
    public override int MostPatches(int pixels, int tokens)
    {
        var slice = UsualImage.Patches;
        return slice * Math.Clamp(tokens / FeatureRows(UsualImage), 1, slicing.MaxSlices == 1 ? 1 : slicing.MaxSlices + 1);
    }

    public override bool HasTower => true;

    public override VisualFeatures? TowerFeatures(ModelInput input) => input.Pixels is null ? null : new(Vision.Forward(input.Pixels, input.Grids));

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) =>
        new(merger.Forward(tower.Embeddings, Vision.MergesWindows ? PatchSquares.Halved(input.Grids) : input.Grids));

    public override int TowerRows(ImageGrid grid) => Vision.MergesWindows ? grid.Patches / PatchSquares.Size : grid.Patches;

    /// <summary>Behind the merger of windows the tower has a quarter of the rows.</summary>
    public override IEnumerable<int[]> VisionRows(ModelInput input) => Vision.MergesWindows
        ? base.VisionRows(input).Append([.. input.Grids.Select(grid => grid.Patches / PatchSquares.Size)])
        : base.VisionRows(input);

    public override int FeatureRows(ImageGrid grid) => grid.Patches / (side * side);

    /// <summary>Tokens of images are counted as those of text.</summary>
    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start)
    {
        for (var i = 0; i < ids.Length; i++)
        {
            positions[0][start + i] = positions[1][start + i] = positions[2][start + i] = i;
        }

        return ids.Length;
    }
}
