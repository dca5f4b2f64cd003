namespace Fovea;

/// <summary>A picture within a message, at its place among the other parts: JPEG, PNG, WebP, or the first frame of a GIF.</summary>
/// <param name="Source">Where its encoded bytes are.</param>
public sealed record Image(MediaSource Source) : Part
{
    /// <summary>A picture in a file, which is opened when it is needed.</summary>
    /// <param name="path">Absolute, or from the process's current folder.</param>
    public static Image FromFile(string path) => new(MediaSource.FromFile(path));

    /// <summary>A picture in memory.</summary>
    /// <param name="bytes">The encoded picture; not copied, and must not change.</param>
    /// <param name="name">What messages call it.</param>
    public static Image FromBytes(byte[] bytes, string name = "image") => new(MediaSource.FromBytes(bytes, name));
}
