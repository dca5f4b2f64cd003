using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Fovea.Training.Engine;

/// <summary>SHA-256 of files' bytes, computed once for each state of a file (length and time of writing). For several threads.</summary>
internal sealed class ContentHashes
{
    private readonly ConcurrentDictionary<string, (long Length, DateTime Written, byte[] Hash)> known = new(StringComparer.Ordinal);

    /// <summary>Length and time of writing; null without a file.</summary>
    internal static (long Length, DateTime Written)? StampOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? (file.Length, file.LastWriteTimeUtc) : null;
    }

    /// <summary>The hash and the stamp that the file had before it was read; null when it cannot be read.</summary>
    internal (byte[] Hash, (long Length, DateTime Written) Stamp)? Of(string path)
    {
        try
        {
            if (StampOf(path) is not { } stamp)
            {
                return null;
            }

            if (known.TryGetValue(path, out var entry) && (entry.Length, entry.Written) == stamp)
            {
                return (entry.Hash, stamp);
            }

            using var stream = File.OpenRead(path);
            var hash = SHA256.HashData(stream);
            known[path] = (stamp.Length, stamp.Written, hash);
            return (hash, stamp);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
