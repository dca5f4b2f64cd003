using System.Collections.Concurrent;
using Fovea.Data.Images;

namespace Fovea.Training.Features;

/// <summary>SHA-256 of images' bytes, computed once for each state of a file (length and time of writing). For several threads.</summary>
internal sealed class ContentHashes
{
    private readonly ConcurrentDictionary<(string Path, long Offset), (long Length, DateTime Written, byte[] Hash)> known = new();

    /// <summary>The hash and the stamp that the image had before it was read; null when it cannot be read.</summary>
    internal (byte[] Hash, (long Length, DateTime Written) Stamp)? Of(MediaContent image)
    {
        try
        {
            if (MediaContent.Stamp(image.Source) is not { } stamp)
            {
                return null;
            }

            // Bytes of a row are gone after their sample, and soon hashed again.
            if (image.Source.Path is not { } path)
            {
                return (image.Hash(), stamp);
            }

            if (known.TryGetValue((path, image.Source.Offset), out var entry) && (entry.Length, entry.Written) == stamp)
            {
                return (entry.Hash, stamp);
            }

            var hash = image.Hash();
            known[(path, image.Source.Offset)] = (stamp.Length, stamp.Written, hash);
            return (hash, stamp);
        }
        catch (Exception e) when (e is ImageException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
