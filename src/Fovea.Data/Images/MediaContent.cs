using System.Security.Cryptography;

namespace Fovea.Data.Images;

/// <summary>
/// The encoded bytes of one picture, read at their first use and once: its hash and its pixels come from the same bytes. For one thread.
/// </summary>
internal sealed class MediaContent(MediaSource source)
{
    private byte[]? bytes;

    public MediaSource Source { get; } = source;

    /// <summary>All bytes of the encoded picture.</summary>
    /// <exception cref="ImageException">They cannot be read; names source and reason.</exception>
    public byte[] Bytes => bytes ??= ImageReader.ReadBytes(Source);

    /// <summary>
    /// Length and time of writing of the file that holds a source, by which a change is noticed: bytes in memory never change. Null where the file is gone.
    /// </summary>
    public static (long Length, DateTime Written)? Stamp(MediaSource source)
    {
        if (source.Path is not { } path)
        {
            return (source.Length!.Value, default);
        }

        var file = new FileInfo(path);
        return file.Exists ? (file.Length, file.LastWriteTimeUtc) : null;
    }

    /// <summary>SHA-256 of the encoded picture: the same for a file and for its bytes within a row.</summary>
    /// <exception cref="ImageException">As <see cref="Bytes"/>.</exception>
    public byte[] Hash() => SHA256.HashData(Bytes);

    /// <summary>What the picture's header says.</summary>
    /// <exception cref="ImageException">As <see cref="ImageReader.ReadHeader"/>.</exception>
    public MediaHeader Header() => ImageReader.ReadHeader(MediaSource.FromBytes(Bytes, Source.Name));

    /// <exception cref="ImageException">As <see cref="ImageReader.Decode"/>.</exception>
    public RgbImage Decode(ExifOrientation orientation = ExifOrientation.Apply) => ImageReader.Decode(Bytes, Source.Name, orientation);
}
