using Fovea.Data.Images;

namespace Fovea.Loading;

/// <summary>
/// The images of the last conversation as patches. An image that comes again, as in the next turn, is the same object, so that the key/value cache serves.
/// A file that has changed since is read again.
/// </summary>
internal sealed class MediaMemory(Func<MediaSource, ProcessedMedia> read)
{
    private Dictionary<Key, ProcessedMedia> last = [];

    /// <exception cref="ImageException">One of them cannot be used.</exception>
    public IReadOnlyList<ProcessedMedia> Of(Conversation conversation)
    {
        var now = new Dictionary<Key, ProcessedMedia>();
        var images = new List<ProcessedMedia>();
        foreach (var source in conversation.Images)
        {
            var key = Key.Of(source);
            if (!now.TryGetValue(key, out var image))
            {
                now.Add(key, image = last.TryGetValue(key, out var known) ? known : read(source));
            }

            images.Add(image);
        }

        last = now;
        return images;
    }

    private readonly record struct Key(MediaSource Source, DateTime Written, long Length)
    {
        public static Key Of(MediaSource source) =>
            source.Path is { } path && new FileInfo(path) is { Exists: true } file ? new(source, file.LastWriteTimeUtc, file.Length) : new(source, default, 0);
    }
}
