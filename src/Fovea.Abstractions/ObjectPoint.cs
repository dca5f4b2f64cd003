namespace Fovea;

/// <summary>A point in an image.</summary>
/// <param name="X">From the image's left side.</param>
/// <param name="Y">From the image's upper side.</param>
public sealed record ObjectPoint(double X, double Y) : ObjectPlace;
