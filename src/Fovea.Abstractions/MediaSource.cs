namespace Fovea;

/// <summary>
/// Where a picture or video comes from: a file, a stretch of a file (a member of an archive), or bytes in memory (a data URI, base64, an upload).
/// Nothing is opened before it is needed. Equal sources are the same place in the same file, or the same array.
/// </summary>
public sealed class MediaSource : IEquatable<MediaSource>
{
    private readonly byte[]? bytes;

    private MediaSource(string name, string? path, byte[]? bytes) => (Name, Path, this.bytes) = (name, path, bytes);

    /// <summary>What messages call it: the file's path, or a name for a member of an archive or for bytes.</summary>
    public string Name { get; }

    /// <summary>The path of the file that holds it; null for bytes.</summary>
    public string? Path { get; }

    /// <summary>Where it begins in its file, in bytes; 0 unless it is a member of an archive.</summary>
    public long Offset { get; private init; }

    /// <summary>Its length in bytes where that is known before it is opened: for members of archives and for bytes; null for whole files.</summary>
    public long? Length { get; private init; }

    /// <summary>A whole file.</summary>
    /// <param name="path">Absolute, or from the process's current folder.</param>
    public static implicit operator MediaSource(string path) => FromFile(path);

    /// <summary>A whole file, which need not exist yet.</summary>
    /// <param name="path">Absolute, or from the process's current folder.</param>
    public static MediaSource FromFile(string path) => new(path, path, null);

    /// <summary>A stretch of a file, for instance a member of an uncompressed archive.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">Where it begins, in bytes; at least 0.</param>
    /// <param name="length">Its length in bytes; at least 0.</param>
    /// <param name="name">What messages call it.</param>
    public static MediaSource FromFile(string path, long offset, long length, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return new MediaSource(name, path, null) { Offset = offset, Length = length };
    }

    /// <summary>Bytes in memory.</summary>
    /// <param name="bytes">The encoded picture or video; not copied, and must not change.</param>
    /// <param name="name">What messages call it.</param>
    public static MediaSource FromBytes(byte[] bytes, string name) => new(name, null, bytes) { Length = bytes.Length };

    /// <summary>The encoded bytes as a stream that can be read and sought, and knows its length. The caller closes it.</summary>
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

    /// <summary>All encoded bytes. Those in memory are not copied.</summary>
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

    /// <summary>Whether the other is the same place in the same file, or the same array.</summary>
    /// <param name="other">Null is never equal.</param>
    public bool Equals(MediaSource? other) => other is not null && Name == other.Name && Path == other.Path && Offset == other.Offset
        && ReferenceEquals(bytes, other.bytes);

    /// <inheritdoc cref="Equals(MediaSource)"/>
    public override bool Equals(object? obj) => Equals(obj as MediaSource);

    /// <summary>Fits <see cref="Equals(MediaSource)"/>.</summary>
    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
