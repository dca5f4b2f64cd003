namespace Fovea.Files.Pickle;

/// <summary>A storage of a torch.save file: its bytes in the mapped file. <paramref name="DType"/> is null for an untyped one.</summary>
internal sealed record PickledStorage(DType? DType, long Offset, long Bytes);
