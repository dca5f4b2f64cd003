namespace Fovea.Data.Images;

/// <summary>A picture cannot be used: names the file, the reason and, where there is one, the remedy.</summary>
internal sealed class ImageException(string? file, string reason, Exception? inner = null)
    : FoveaException(file is null ? $"image: {reason}" : $"image {file}: {reason}", inner)
{
    /// <summary>The file, or the name that the caller gave to the bytes.</summary>
    public string? File { get; } = file;

    /// <summary>What is wrong, without the file's name.</summary>
    public string Reason { get; } = reason;
}
