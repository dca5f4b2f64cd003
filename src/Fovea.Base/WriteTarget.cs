using System.Globalization;
using System.Text;

namespace Fovea;

/// <summary>
/// Folders and files that a user names to be written. A symbolic link is followed: it stays, and the content lies where it leads. What cannot be written
/// is refused before the work begins, in one sentence that says what to do.
/// </summary>
internal static class WriteTarget
{
    private const int MostLinks = 40;
    private const int LongestName = 255;

    /// <summary>Where a folder's content will lie, links resolved. Nothing is made or changed; what does not exist yet is looked for in what does.</summary>
    /// <param name="key">The key or option that named it, for messages.</param>
    /// <param name="writable">Whether new files must be possible in it; false for folders that may only be read.</param>
    /// <exception cref="ConfigException">A file lies there, a link leads nowhere, or nothing can be written there.</exception>
    public static string Folder(string path, string key, bool writable = true) => Guard(path, key, () =>
    {
        var folder = Follow(path, key);
        var there = Nearest(folder);
        if (!Directory.Exists(there))
        {
            throw Refused(path, key, there == folder ? "is a file; it must be a folder" : $"cannot be made: {there} is a file; choose another folder");
        }

        if (writable)
        {
            Try(path, key, there);
        }

        return folder;
    });

    /// <summary>What lies in a folder, which need not exist; without what a file system keeps for itself at the top of a mounted disk.</summary>
    public static IEnumerable<FileSystemInfo> Entries(string folder) => !Directory.Exists(folder) ? []
        : new DirectoryInfo(folder).EnumerateFileSystemInfos().Where(entry => entry.Name != "lost+found");

    /// <summary>Where a file's content will lie, links resolved. Nothing is made or changed.</summary>
    /// <param name="key">The key or option that named it, for messages.</param>
    /// <exception cref="ConfigException">A folder lies there, a link leads nowhere, or nothing can be written there.</exception>
    public static string File(string path, string key) => Guard(path, key, () =>
    {
        var file = Follow(path, key);
        if (Directory.Exists(file))
        {
            throw Refused(path, key, "is a folder; it must be a file");
        }

        if (System.IO.File.Exists(file))
        {
            // A file may be mounted on its own, in a folder that takes no other.
            using var open = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            return file;
        }

        var there = Nearest(Path.GetDirectoryName(file)!);
        if (!Directory.Exists(there))
        {
            throw Refused(path, key, $"cannot be made: {there} is a file; choose another place");
        }

        Try(path, key, there);
        return file;
    });

    /// <summary>
    /// Replaces a small text file, or makes it. A link stays and leads to the new content. The content changes in one step, but where the folder takes no
    /// other file (a file that is a mount point of its own): there it is written over.
    /// </summary>
    /// <param name="key">The key or option that named it, for messages.</param>
    /// <exception cref="ConfigException">It cannot be written.</exception>
    public static void Text(string path, string key, string text) => Text(path, key, text, System.IO.File.Move);

    internal static void Text(string path, string key, string text, Action<string, string, bool> rename)
    {
        var file = File(path, key);
        Guard(path, key, () =>
        {
            if (Path.GetDirectoryName(file) is { } folder)
            {
                Directory.CreateDirectory(folder);
            }

            var partial = Path.Combine(Path.GetDirectoryName(file)!, $".{Path.GetFileName(file)}.{Environment.ProcessId}.partial");
            try
            {
#pragma warning disable RS0030 // Renamed below, keeping the mode of the file that it replaces.
                System.IO.File.WriteAllText(partial, text);
#pragma warning restore RS0030
                if (System.IO.File.Exists(file) && !OperatingSystem.IsWindows())
                {
                    System.IO.File.SetUnixFileMode(partial, System.IO.File.GetUnixFileMode(file));
                }

                rename(partial, file, true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException && System.IO.File.Exists(file))
            {
                Over(file, Encoding.UTF8.GetBytes(text));
            }
            finally
            {
                System.IO.File.Delete(partial);
            }

            return true;
        });
    }

    /// <summary>Refuses to begin what the disk has no room for.</summary>
    /// <param name="folder">Where it goes; need not exist yet.</param>
    /// <param name="what">What is to be written, for the message.</param>
    /// <exception cref="ConfigException">Less is free than is needed.</exception>
    public static void Room(string folder, string key, long bytes, string what)
    {
        var disk = new DriveInfo(Nearest(Path.GetFullPath(folder)));
        if (disk.IsReady && disk.TotalSize > 0 && disk.AvailableFreeSpace < bytes)
        {
            var (free, needed) = (Size(disk.AvailableFreeSpace), Size(bytes));
            throw Refused(folder, key, $"lies on a disk with {free} free, and {what} takes {needed}; free some or choose another place");
        }

        static string Size(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB");
    }

    /// <summary>The path with every link in it resolved.</summary>
    private static string Follow(string path, string key) => Follow(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), path, key, 0);

    private static string Follow(string full, string path, string key, int depth)
    {
        var at = Path.GetPathRoot(full)!;
        foreach (var name in full.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            if (Encoding.UTF8.GetByteCount(name) > LongestName)
            {
                throw Refused(path, key, $"cannot be made: a name in it is longer than {LongestName} bytes");
            }

            var link = Path.Combine(at, name);
            if (new FileInfo(link).LinkTarget is not { } leads)
            {
                at = link;
                continue;
            }

            if (depth == MostLinks)
            {
                throw Refused(path, key, $"leads through links that go in a circle ({link}); remove the link or choose another place");
            }

            at = Follow(Path.GetFullPath(leads, at), path, key, depth + 1);
            if (!Path.Exists(at))
            {
                throw Refused(path, key, $"{(link == Path.GetFullPath(path) ? "is" : $"goes through {link},")} a link to {leads}, which does not exist: "
                    + "make that folder (is its disk mounted?) or choose another place");
            }
        }

        return at;
    }

    /// <summary>The path itself, or the nearest folder above it that exists.</summary>
    private static string Nearest(string path)
    {
        while (!Path.Exists(path) && Path.GetDirectoryName(path) is { } parent)
        {
            path = parent;
        }

        return path;
    }

    /// <summary>Writes over what a file holds; where that fails, for instance on a full disk, it holds the same as before.</summary>
    private static void Over(string file, byte[] bytes)
    {
        var before = System.IO.File.ReadAllBytes(file);
        try
        {
            Put(bytes);
        }
        catch
        {
            Put(before);
            throw;
        }

        void Put(byte[] content)
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.Read);
            stream.Write(content);
            stream.SetLength(content.Length);
        }
    }

    private static void Try(string path, string key, string folder)
    {
        var probe = Path.Combine(folder, $".writable.{Environment.ProcessId}");
        try
        {
#pragma warning disable RS0030 // Only to see whether it can be done.
            System.IO.File.WriteAllBytes(probe, [0]);
#pragma warning restore RS0030
            System.IO.File.Delete(probe);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The name of the hidden file would only puzzle.
            var reason = e is UnauthorizedAccessException ? "permission denied"
                : e is FileNotFoundException or DirectoryNotFoundException ? "no files can be made"
                : e.Message.Split(" : '")[0];
            reason += folder == path ? string.Empty : $" in {folder}";
            throw Refused(path, key, $"cannot be written ({reason}); make it writable or choose another place");
        }
    }

    private static T Guard<T>(string path, string key, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw Refused(path, key, $"cannot be written: {e.Message}");
        }
    }

    private static ConfigException Refused(string path, string key, string reason) => new($"{key}: {path} {reason}");
}
