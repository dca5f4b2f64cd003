using Fovea.Data.Datasets;

namespace Fovea.Data.Packing;

/// <summary>A sample with its images; <paramref name="Sample"/> is null where it was left out.</summary>
internal sealed record LoadedSample(StepSample? Sample, IReadOnlyList<LoadedImage> Images, IReadOnlyList<BadSample> Bad);
