using Fovea.Data.Images;

namespace Fovea.Data.Packing;

/// <summary>Knows which images need not be decoded because their features are at hand. Asked by the threads that prepare batches.</summary>
internal interface IFeatureStore
{
    /// <summary>What is known of an image; null when it cannot be read, which decoding it will report.</summary>
    /// <param name="part">Which part of the image, where it becomes several.</param>
    FeatureTicket? Ask(MediaContent image, ImageGrid grid, int part = 0);

    /// <summary>Whether the file is still the one that was asked for; otherwise what was decoded must not be kept under the ticket's key.</summary>
    bool IsCurrent(FeatureTicket ticket);
}
