using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models.Grids;

/// <summary>
/// What models of the Qwen-VL line have in common: images of any size as grids of patches, squares of which become one token, and three axes of positions.
/// </summary>
internal abstract class GridModel(Ledger ledger, PatchShape patches, int imageToken) : VisionLanguageModel(ledger)
{
    public override ImageGrid UsualImage => new(1, 16 * patches.Merge, 16 * patches.Merge);

    public override int PatchLength => patches.Length;

    public override int FeatureRows(ImageGrid grid) => grid.MergedTokens(patches.Merge);

    public override int MostPatches(int pixels, int tokens) =>
        Math.Min(pixels / (patches.Size * patches.Size), patches.Merge * patches.Merge * tokens);

    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start) =>
        MultimodalRotary.Place(ids, images, imageToken, patches.Merge, positions, start);

    protected internal override int[][] PositionsAt(int place) => [[place], [place], [place]];
}
