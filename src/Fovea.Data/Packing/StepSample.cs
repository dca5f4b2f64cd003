using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>A sample as a step takes it: the encoded sample and its index in the dataset.</summary>
internal sealed record StepSample(int Index, EncodedSample Sample);
