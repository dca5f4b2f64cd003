using System.Collections.Concurrent;

namespace Fovea.Training.Features;

/// <summary>
/// Vision features on disk, one file an image, which any number of processes may share: files appear whole or not at all, a damaged one counts as
/// absent. What was not used for longest goes when there is more than the budget; what this run has used stays, since every epoch comes back to it.
/// Problems with the disk are reported once and never stop a run.
/// </summary>
internal sealed class FeatureFolder : IDisposable
{
    private const string Extension = ".features";
    private const string Partial = ".partial";
    private const int Waiting = 64;

    // At the top of a mounted disk lies a folder that only root may look into.
    private static readonly EnumerationOptions Everything = new() { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = 0 };

    private readonly string folder;
    private readonly long budget;
    private readonly Action<string> warn;
    private readonly BlockingCollection<(string Key, ImageFeatures Features)> queue = new(Waiting);
    private readonly ConcurrentDictionary<string, bool> damaged = new();
    private readonly Thread writer;
    private readonly DateTime began = DateTime.UtcNow;
    private long bytes = -1;
    private volatile bool broken;
    private volatile bool full;

    /// <param name="folder">Made when the first file is written.</param>
    /// <param name="budgetBytes">Most bytes of all files.</param>
    /// <param name="warn">Told what goes wrong, from any thread.</param>
    public FeatureFolder(string folder, long budgetBytes, Action<string> warn)
    {
        (this.folder, budget, this.warn) = (folder, budgetBytes, warn);
        writer = new Thread(WriteAll) { IsBackground = true, Name = "vision cache" };
        writer.Start();
    }

    /// <summary>The features of a key, or null. One reference belongs to the caller.</summary>
    public ImageFeatures? Read(string key)
    {
        var path = PathOf(key);
        try
        {
            ImageFeatures features;
            using (var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1))
            {
                features = FeatureFile.Read(stream, key);
            }

            Touch(path);
            return features;
        }
        catch (InvalidDataException e)
        {
            if (damaged.TryAdd(key, true))
            {
                warn($"{path} in the cache of vision features is damaged ({e.Message}): the image is computed again and the file replaced");
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // The usual case in the first epoch.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Break($"cannot be read: {e.Message}");
        }

        return null;
    }

    /// <summary>Writes in the background; takes a reference of its own. Waits when the disk is far behind.</summary>
    public void Write(string key, ImageFeatures features)
    {
        if (!broken && !full)
        {
            features.Memory.AddRef();
            queue.Add((key, features));
        }
    }

    /// <summary>Finishes writing.</summary>
    public void Dispose()
    {
        queue.CompleteAdding();
        writer.Join();
        queue.Dispose();
    }

    private static void Touch(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Removed by another process, or a folder that may only be read: both do no harm.
        }
    }

    private string PathOf(string key) => Path.Combine(folder, key[..2], key + Extension);

    private void WriteAll()
    {
        foreach (var (key, features) in queue.GetConsumingEnumerable())
        {
            try
            {
                if (!broken && !full)
                {
                    WriteOne(key, features);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Break($"cannot be written: {e.Message}");
            }
            finally
            {
                features.Memory.Release();
            }
        }
    }

    private void WriteOne(string key, ImageFeatures features)
    {
        var size = FeatureFile.LengthOf(features);
        if ((bytes < 0 || bytes + size > budget) && !MakeRoom(size))
        {
            full = true;
            warn($"the cache of vision features in {folder} is full ({budget >> 20} MiB): images beyond that are computed again in every epoch; "
                + "raise vision_cache_disk to keep more");
            return;
        }

        // Nothing is synced to disk: what a crash of the machine leaves unfinished does not match its checksum.
        var path = PathOf(key);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var partial = Path.Combine(Path.GetDirectoryName(path)!, $".{Guid.NewGuid():N}{Partial}");
        try
        {
            using (var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1))
            {
                FeatureFile.Write(stream, key, features);
            }

            File.Move(partial, path, overwrite: true);
            bytes += size;
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    /// <summary>Counts the files, and deletes the oldest that this run has not used; other processes may delete the same.</summary>
    private bool MakeRoom(long size)
    {
        // Exists asks the disk, once for all: a file that another process has renamed or deleted since it was listed has no length.
        var files = Directory.Exists(folder)
            ? new DirectoryInfo(folder).EnumerateFiles("*", Everything).Where(f => f.Exists).OrderBy(f => f.LastWriteTimeUtc).ToList()
            : [];
        bytes = files.Sum(f => f.Length);
        foreach (var file in files)
        {
            // Half-written files are of processes that were killed, once they are old.
            var abandoned = file.Extension == Partial && file.LastWriteTimeUtc < began.AddHours(-1);
            if (abandoned || (file.Extension == Extension && file.LastWriteTimeUtc < began && bytes + size > budget))
            {
                bytes -= file.Length;
                file.Delete();
            }
        }

        return bytes + size <= budget;
    }

    private void Break(string reason)
    {
        if (!broken)
        {
            broken = true;
            warn($"the cache of vision features in {folder} is not used any more for writing: {reason}. Features are kept in memory only; "
                + "set vision_cache_dir to another folder, or to none");
        }
    }
}
