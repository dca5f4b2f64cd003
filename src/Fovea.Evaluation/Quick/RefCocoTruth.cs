namespace Fovea.Evaluation.Quick;

/// <summary>Where what is meant stands, in pixels, and the size of the image.</summary>
/// <param name="Split">Of the benchmark, for instance <c>RefCOCO+_testA</c>; null where the file does not tell.</param>
internal sealed record RefCocoTruth(Box Box, double Width, double Height, string? Split);
