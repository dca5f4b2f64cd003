using Fovea.Data.Packing;

namespace Fovea.Training.Features;

/// <summary>What a <see cref="VisionFeatureCache"/> says of one image of a batch.</summary>
/// <param name="source">The image's place; null for one that cannot change.</param>
/// <param name="key">Names the features: content of the image and everything else that they depend on.</param>
/// <param name="features">Null when they are not at hand: the image must be decoded. One reference belongs to the ticket.</param>
/// <param name="stamp">Length and time of the file when it was asked for.</param>
internal sealed class ImageTicket(MediaSource? source, string key, ImageFeatures? features, (long Length, DateTime Written) stamp) : FeatureTicket
{
    private int disposed;

    public MediaSource? Source { get; } = source;

    public string Key { get; } = key;

    public ImageFeatures? Features { get; } = features;

    public (long Length, DateTime Written) Stamp { get; } = stamp;

    public override bool HasFeatures => Features is not null;

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            Features?.Memory.Release();
        }
    }
}
