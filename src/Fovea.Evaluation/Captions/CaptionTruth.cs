namespace Fovea.Evaluation.Captions;

/// <summary>What people wrote about one image.</summary>
internal sealed record CaptionTruth(string[] References);
