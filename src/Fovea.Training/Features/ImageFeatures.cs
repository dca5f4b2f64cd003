using Fovea.Native;

namespace Fovea.Training.Features;

/// <summary>What a vision tower makes of one image: [Rows, Width] elements, row after row. The memory is counted by its references.</summary>
internal sealed record ImageFeatures(WritableMemory Memory, long Rows, long Width, DType DType);
