namespace Fovea.Data.Images;

/// <summary>One image codec library: what for, its file name, and where it was found or null.</summary>
internal sealed record CodecLibrary(string Purpose, string FileName, string? FoundAt);
