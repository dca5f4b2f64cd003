namespace Fovea;

/// <summary>
/// Where an image or video comes from: a file, a segment of a file (a member of an archive), or bytes in memory (a data URI, base64, an upload).
/// Nothing is opened before it is needed. Sources are equal if they are the same segment of the same file, or the same array.
/// </summary>
public sealed class MediaSource : IEquatable<MediaSource>
{
    private readonly byte[]? bytes;

    private MediaSource(string name, string? path, byte[]? bytes) => (Name, Path, this.bytes) = (name, path, bytes);

    /// <summary>The name used in messages: the file's path, or a name for a member of an archive or for bytes.</summary>
    public string Name { get; }

    /// <summary>The path of the file that contains it; null for bytes.</summary>
    public string? Path { get; }

    /// <summary>Offset in its file, in bytes; 0 unless it is a member of an archive.</summary>
    public long Offset { get; private init; }

    /// <summary>Length in bytes if known before opening, as for members of archives and for bytes; null for whole files.</summary>
    public long? Length { get; private init; }

    /// <summary>A whole file.</summary>
    /// <param name="path">Absolute, or relative to the current directory.</param>
    public static implicit operator MediaSource(string path) => FromFile(path);

    /// <summary>A whole file, which need not exist yet.</summary>
    /// <param name="path">Absolute, or relative to the current directory.</param>
    public static MediaSource FromFile(string path) => new(path, path, null);

    /// <summary>A segment of a file, for instance a member of an uncompressed archive.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">Offset in bytes; at least 0.</param>
    /// <param name="length">Length in bytes; at least 0.</param>
    /// <param name="name">The name used in messages.</param>
    public static MediaSource FromFile(string path, long offset, long length, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return new MediaSource(name, path, null) { Offset = offset, Length = length };
    }

    /// <summary>Bytes in memory.</summary>
    /// <param name="bytes">The encoded image or video; not copied, and must not be modified.</param>
    /// <param name="name">The name used in messages.</param>
    public static MediaSource FromBytes(byte[] bytes, string name) => new(name, null, bytes) { Length = bytes.Length };

    /// <summary>The encoded bytes as a readable, seekable stream of known length. The caller closes it.</summary>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public Stream Open()
    {
        if (bytes is not null)
        {
            return new MemoryStream(bytes, writable: false);
        }

        var file = new FileStream(Path!, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 4096);
        return Length is { } length ? new StretchStream(file, Offset, length) : file;
    }

    /// <summary>All encoded bytes; bytes in memory are not copied.</summary>
    /// <exception cref="IOException">The file is missing or cannot be read, or has become shorter.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public byte[] ReadBytes()
    {
        if (bytes is not null)
        {
            return bytes;
        }

        using var stream = Open();
        var read = new byte[stream.Length];
        stream.ReadExactly(read);
        return read;
    }

    /// <summary>Whether the other is the same segment of the same file, or the same array.</summary>
    /// <param name="other">Null is never equal.</param>
    public bool Equals(MediaSource? other) => other is not null && Name == other.Name && Path == other.Path && Offset == other.Offset
        && ReferenceEquals(bytes, other.bytes);

    /// <inheritdoc cref="Equals(MediaSource)"/>
    public override bool Equals(object? obj) => Equals(obj as MediaSource);

    /// <summary>Consistent with <see cref="Equals(MediaSource)"/>.</summary>
    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
