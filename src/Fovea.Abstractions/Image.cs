namespace Fovea;

/// <summary>An image within a message, at its position among the other parts: JPEG, PNG, WebP, or the first frame of a GIF.</summary>
/// <param name="Source">Where its encoded bytes are.</param>
public sealed record Image(MediaSource Source) : Part
{
    /// <summary>An image in a file, which is opened when needed.</summary>
    /// <param name="path">Absolute, or relative to the current directory.</param>
    public static Image FromFile(string path) => new(MediaSource.FromFile(path));

    /// <summary>An image in memory.</summary>
    /// <param name="bytes">The encoded image; not copied, and must not be modified.</param>
    /// <param name="name">The name used in messages.</param>
    public static Image FromBytes(byte[] bytes, string name = "image") => new(MediaSource.FromBytes(bytes, name));
}
