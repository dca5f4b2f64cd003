namespace Fovea;

/// <summary>The name of something in an image, within a message; each model's own marks are written around it.</summary>
/// <param name="Value">For instance <c>a dog</c>.</param>
public sealed record ObjectName(string Value) : Part;
