namespace Fovea;

/// <summary>A rectangle in an image by two opposite corners.</summary>
/// <param name="Left">From the image's left side.</param>
/// <param name="Top">From the image's upper side.</param>
/// <param name="Right">From the image's left side.</param>
/// <param name="Bottom">From the image's upper side.</param>
public sealed record ObjectBox(double Left, double Top, double Right, double Bottom) : ObjectPlace;
