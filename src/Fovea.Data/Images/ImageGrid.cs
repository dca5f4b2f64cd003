namespace Fovea.Data.Images;

/// <summary>How many patches a picture has: T frames of H rows of W patches (Qwen's <c>image_grid_thw</c>).</summary>
internal sealed record ImageGrid(int T, int H, int W)
{
    public int Patches => T * H * W;

    /// <summary>Tokens that the language model sees when <paramref name="merge"/> x <paramref name="merge"/> patches become one.</summary>
    public int MergedTokens(int merge) => Patches / (merge * merge);
}
