using Fovea.Data.Datasets;
using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>A sample with the patches of its images, in rented arrays; <paramref name="Sample"/> is null where it was left out.</summary>
internal sealed record LoadedSample(StepSample? Sample, IReadOnlyList<float[]> Pixels, IReadOnlyList<BadSample> Bad);
