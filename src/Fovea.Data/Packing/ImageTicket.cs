namespace Fovea.Data.Packing;

/// <summary>
/// What a <see cref="IFeatureStore"/> says of one image of a batch. While it is not disposed its features stay, whatever the store drops meanwhile.
/// </summary>
/// <param name="Path">The image's file; null for bytes within a row, which do not change.</param>
/// <param name="Key">Names the features: content of the image and everything else that they depend on.</param>
/// <param name="Features">Null when they are not at hand: the image must be decoded. One reference belongs to the ticket.</param>
/// <param name="Stamp">Length and time of the file when it was asked for.</param>
public sealed record ImageTicket(string? Path, string Key, ImageFeatures? Features, (long Length, DateTime Written) Stamp) : IDisposable
{
    private int disposed;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            Features?.Memory.Release();
        }
    }
}
