namespace Fovea.Data.Images;

/// <summary>A picture as the vision tower takes it: the plan of its parts, and the patches of each.</summary>
internal sealed record ProcessedMedia(MediaPlan Plan, IReadOnlyList<ProcessedImage> Parts);
