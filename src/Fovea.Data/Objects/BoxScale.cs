namespace Fovea.Data.Objects;

/// <summary>What the coordinates in a text count, by the names of ms-swift's <c>norm_bbox</c>.</summary>
internal enum BoxScale
{
    /// <summary>Thousandths of the image's width and height.</summary>
    Norm1000,

    /// <summary>Pixels of the image as the model sees it, after every resize.</summary>
    None,
}
