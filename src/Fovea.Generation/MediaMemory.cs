using System.Security.Cryptography;
using Fovea.Data.Images;

namespace Fovea.Generation;

/// <summary>
/// Images as patches, those that were used last: an image that comes again, in the next turn or the next question, is not read again. A file that has
/// changed since is; bytes are known by what they hold. For any number of threads.
/// </summary>
/// <param name="read">A picture as patches.</param>
/// <param name="mostBytes">Of patches that are kept; the last image is in any case.</param>
internal sealed class MediaMemory(Func<MediaSource, ProcessedMedia> read, long mostBytes = 256L << 20)
{
    private readonly Lock gate = new();
    private readonly Dictionary<Key, LinkedListNode<Entry>> known = [];
    private readonly LinkedList<Entry> last = new();
    private long bytes;

    /// <exception cref="ImageException">It cannot be used; names the picture and the reason.</exception>
    public ProcessedMedia Of(MediaSource source)
    {
        var key = Key.Of(source);
        lock (gate)
        {
            if (known.TryGetValue(key, out var node))
            {
                last.Remove(node);
                last.AddFirst(node);
                return node.Value.Media;
            }
        }

        var media = read(source);
        lock (gate)
        {
            if (!known.TryGetValue(key, out var other))
            {
                var entry = new Entry(key, media, media.Parts.Sum(part => (long)part.Patches.Length * sizeof(float)));
                known.Add(key, last.AddFirst(entry));
                bytes += entry.Bytes;
                while (bytes > mostBytes && last.Count > 1)
                {
                    bytes -= last.Last!.Value.Bytes;
                    known.Remove(last.Last.Value.Key);
                    last.RemoveLast();
                }

                return media;
            }

            return other.Value.Media;
        }
    }

    private sealed record Entry(Key Key, ProcessedMedia Media, long Bytes);

    // Of bytes a hash, not the source, which would keep them.
    private readonly record struct Key(MediaSource? Source, string? Hash, DateTime Written, long Length)
    {
        public static Key Of(MediaSource source) =>
            source.Path is null ? new(null, Convert.ToHexString(SHA256.HashData(source.ReadBytes())), default, 0)
            : new FileInfo(source.Path) is { Exists: true } file ? new(source, null, file.LastWriteTimeUtc, file.Length)
            : new(source, null, default, 0);
    }
}
