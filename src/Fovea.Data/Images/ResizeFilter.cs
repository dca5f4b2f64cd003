namespace Fovea.Data.Images;

/// <summary>
/// Antialiased resampling, named after the program whose pixels it reproduces: Pillow's <c>Image.resize</c>, or torchvision's resize of uint8 tensors
/// (libtorch's <c>_upsample_bicubic2d_aa</c>).
/// </summary>
internal enum ResizeFilter
{
    PillowNearest,
    PillowBilinear,
    PillowBicubic,
    PillowLanczos,
    TorchBicubic,
}
