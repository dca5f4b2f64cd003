using System.Security.Cryptography;

namespace Fovea.Data.Images;

/// <summary>Where an image comes from: a file, or bytes that its row holds. Equal sources are the same file or the same array.</summary>
public sealed class MediaSource : IEquatable<MediaSource>
{
    /// <summary>Most bytes of an image inside a row, once base64 is decoded.</summary>
    public const int MostBytes = 64 << 20;

    private readonly byte[]? bytes;

    private MediaSource(string name, byte[]? bytes) => (Name, this.bytes) = (name, bytes);

    /// <summary>The file's path, or what messages call the bytes.</summary>
    public string Name { get; }

    /// <summary>The file's path; null for bytes.</summary>
    public string? Path => bytes is null ? Name : null;

    public static implicit operator MediaSource(string path) => FromFile(path);

    public static MediaSource FromFile(string path) => new(path, null);

    /// <param name="name">What messages call them: column and place in the row.</param>
    public static MediaSource FromBytes(byte[] bytes, string name) => new(name, bytes);

    /// <summary>Width and height in pixels, from the headers alone.</summary>
    /// <exception cref="ImageException">As <see cref="ImageReader.ReadSize(string, ExifOrientation)"/>.</exception>
    public (int Width, int Height) ReadSize(ExifOrientation orientation = ExifOrientation.Apply) =>
        bytes is null ? ImageReader.ReadSize(Name, orientation) : ImageReader.ReadSize(bytes, Name, orientation);

    /// <exception cref="ImageException">As <see cref="ImageReader.Read"/>.</exception>
    public RgbImage Read(ExifOrientation orientation = ExifOrientation.Apply) =>
        bytes is null ? ImageReader.Read(Name, orientation) : ImageReader.Decode(bytes, Name, orientation);

    /// <summary>All bytes of the encoded picture.</summary>
    public byte[] ReadBytes() => bytes ?? File.ReadAllBytes(Name);

    /// <summary>SHA-256 of the encoded picture: the same for a file and for its bytes within a row.</summary>
    public byte[] Hash()
    {
        if (bytes is not null)
        {
            return SHA256.HashData(bytes);
        }

        using var stream = File.OpenRead(Name);
        return SHA256.HashData(stream);
    }

    /// <summary>Length and time of writing, by which a file that changes is noticed: bytes never do. Null where the file is gone.</summary>
    public (long Length, DateTime Written)? Stamp()
    {
        if (bytes is not null)
        {
            return (bytes.Length, default);
        }

        var file = new FileInfo(Name);
        return file.Exists ? (file.Length, file.LastWriteTimeUtc) : null;
    }

    public bool Equals(MediaSource? other) => other is not null && Name == other.Name && ReferenceEquals(bytes, other.bytes);

    public override bool Equals(object? obj) => Equals(obj as MediaSource);

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Name;
}
