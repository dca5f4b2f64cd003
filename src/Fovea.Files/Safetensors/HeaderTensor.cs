namespace Fovea.Files.Safetensors;

/// <summary>One tensor as a safetensors header declares it; begin and end count from the first byte of the data.</summary>
internal sealed record HeaderTensor(string Name, DType DType, long[] Shape, long Begin, long End);
