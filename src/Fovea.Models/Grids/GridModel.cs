using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>
/// What models of the Qwen-VL line have in common: images of any size as grids of patches, squares of which become one token, and three axes of positions.
/// </summary>
internal abstract class GridModel(Ledger ledger, PatchShape patches, int imageToken) : VisionLanguageModel(ledger)
{
    public abstract GridLanguage Language { get; }

    /// <summary>What the loss that keeps experts evenly used counts in each batch; 0 where there is none.</summary>
    public double RouterLoss { get; init; }

    public override Parameter Head => Language.Head;

    public override int Layers => Language.Shape.Layers;

    public override int QueryHeads => Language.Shape.Heads;

    public override (int Heads, int Size) KeyValueShape => (Language.Shape.KeyValueHeads, Language.Shape.HeadSize);

    public override (int Layers, GatedDeltaShape Shape)? States => Language.Shape.Delta is { } delta
        ? (Language.Shape.Recurrent.Count(recurrent => recurrent), delta)
        : null;

    public override ImageGrid UsualImage => new(1, 16 * patches.Merge, 16 * patches.Merge);

    public override int PatchLength => patches.Length;

    public override int FeatureRows(ImageGrid grid) => grid.MergedTokens(patches.Merge);

    public override int MostPatches(int pixels, int tokens) =>
        Math.Min(pixels / (patches.Size * patches.Size), patches.Merge * patches.Merge * tokens);

    public override Tensor Hidden(ModelInput input, VisualFeatures? features) => Language.Forward(input, features);

    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start) =>
        MultimodalRotary.Place(ids, images, imageToken, patches.Merge, positions, start);

    protected internal override IReadOnlyList<TokenGroup> GroupsOf(PackedBatch batch) => RouterLoss == 0 ? [] : TokenGroup.OfBatches(batch, RouterLoss);

    protected internal override int[][] PositionsAt(int place) => [[place], [place], [place]];
}
