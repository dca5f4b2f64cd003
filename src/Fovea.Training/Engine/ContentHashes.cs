using System.Collections.Concurrent;
using Fovea.Data.Images;

namespace Fovea.Training.Engine;

/// <summary>SHA-256 of images' bytes, computed once for each state of a file (length and time of writing). For several threads.</summary>
internal sealed class ContentHashes
{
    private readonly ConcurrentDictionary<string, (long Length, DateTime Written, byte[] Hash)> known = new(StringComparer.Ordinal);

    /// <summary>The hash and the stamp that the image had before it was read; null when it cannot be read.</summary>
    internal (byte[] Hash, (long Length, DateTime Written) Stamp)? Of(MediaSource image)
    {
        try
        {
            if (image.Stamp() is not { } stamp)
            {
                return null;
            }

            // Bytes of a row are gone after their sample, and soon hashed again.
            if (image.Path is not { } path)
            {
                return (image.Hash(), stamp);
            }

            if (known.TryGetValue(path, out var entry) && (entry.Length, entry.Written) == stamp)
            {
                return (entry.Hash, stamp);
            }

            var hash = image.Hash();
            known[path] = (stamp.Length, stamp.Written, hash);
            return (hash, stamp);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
