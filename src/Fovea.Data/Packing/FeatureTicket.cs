namespace Fovea.Data.Packing;

/// <summary>
/// What an <see cref="IFeatureStore"/> says of one image of a batch. While it is not disposed its features stay, whatever the store drops meanwhile.
/// </summary>
internal abstract class FeatureTicket : IDisposable
{
    /// <summary>Whether the image's features are at hand, so that it need not be decoded.</summary>
    public abstract bool HasFeatures { get; }

    public abstract void Dispose();
}
