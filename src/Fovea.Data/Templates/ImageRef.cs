using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>
/// An image of an encoded sample, or a part of one: where it comes from, its size in patches, and the run of image tokens in the ids that it fills.
/// Parts of one image follow each other and share its plan.
/// </summary>
internal sealed record ImageRef(MediaSource Source, ImageGrid Grid, int Offset, int Tokens)
{
    /// <summary>Which part of the image: 0 is the whole, cells follow.</summary>
    public int Part { get; init; }

    /// <summary>All parts of the image.</summary>
    public MediaPlan Plan { get; init; } = MediaPlan.One(Grid, Tokens);
}
