using System.Text;
using Fovea.Native;

namespace Fovea;

/// <summary>
/// Writes a file so that its name shows either the old content or the whole new one, whenever the process or the machine stops:
/// a hidden neighbour of a name of its own (<c>.NAME.????????.partial</c>) is written, synced to disk and renamed, then the folder is synced.
/// A killed write leaves at most the neighbour, which the next write of the same name removes.
/// </summary>
internal sealed class AtomicFile : IDisposable
{
    private const int BufferBytes = 1 << 20;
    private const string Suffix = ".partial";

    private readonly string partial;
    private FileStream? stream;
    private bool complete;
    private bool committed;

    private AtomicFile(string path, string partial, FileStream stream)
    {
        Path = path;
        this.partial = partial;
        this.stream = stream;
    }

    public string Path { get; }

    /// <summary>Where the new content goes.</summary>
    public Stream Stream => stream is { } open && !complete ? open : throw new InvalidOperationException($"{Path} is written already");

    /// <summary>Opens the hidden neighbour, with room reserved for the bytes to come so that a full disk shows before anything is written.</summary>
    /// <exception cref="CheckpointException">The folder cannot be written, or the disk is full.</exception>
    public static AtomicFile Create(string path, long expectedBytes = 0)
    {
        var full = System.IO.Path.GetFullPath(path);
        var folder = System.IO.Path.GetDirectoryName(full) ?? throw new CheckpointException($"{path}: cannot be written: not a file name");
        var name = System.IO.Path.GetFileName(full);
        var partial = System.IO.Path.Combine(folder, $".{name}.{Guid.NewGuid().ToString("N")[..8]}{Suffix}");
        return Guard(path, () =>
        {
            Directory.CreateDirectory(folder);
            if (Directory.Exists(full))
            {
                throw new IOException("it is a folder, and a file belongs there; move it away");
            }

            RemoveAbandoned(folder, name);
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.ReadWrite,

                // Keeps other writers of this name from taking the neighbour for an abandoned one, and nobody from reading it under its final name.
                Share = FileShare.ReadWrite,
                BufferSize = BufferBytes,
                PreallocationSize = expectedBytes,
            };
            return new AtomicFile(path, partial, new FileStream(partial, options));
        });
    }

    /// <summary>Writes a whole file in one go.</summary>
    /// <exception cref="CheckpointException">It cannot be written; the old content is untouched.</exception>
    public static void Write(string path, Action<Stream> write, long expectedBytes = 0)
    {
        using var file = Create(path, expectedBytes);
        Guard(path, () =>
        {
            write(file.Stream);
            return true;
        });
        file.Commit();
    }

    /// <summary>Writes a small text file (UTF-8 without mark) in one go.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Syncs the content to disk; the name still shows the old content. For several files that must appear together.</summary>
    public void Complete()
    {
        if (complete)
        {
            return;
        }

        Guard(Path, () =>
        {
            // It stays open: while it is, no other writer of this name takes the neighbour for one that was left behind.
            stream!.Flush(flushToDisk: true);
            return complete = true;
        });
    }

    /// <summary>Gives the content its name, durably.</summary>
    public void Commit()
    {
        Complete();
        Guard(Path, () =>
        {
            File.Move(partial, Path, overwrite: true);
            committed = true;
            Close();
            LibC.SyncDirectory(System.IO.Path.GetDirectoryName(partial)!);
            return true;
        });
    }

    /// <summary>Removes what was not committed.</summary>
    public void Dispose()
    {
        // Closing flushes the buffer, which fails once more on a full disk: the error that matters is already on its way.
        try
        {
            Close();
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException)
        {
        }

        if (!committed)
        {
            File.Delete(partial);
        }
    }

    internal static T Guard<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (ArgumentOutOfRangeException e) when (e.ParamName == "value")
        {
            // What .NET makes of EFBIG.
            throw new CheckpointException($"{path}: cannot be written: File too large for the file system or the process's limit (ulimit -f)", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CheckpointException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Removes neighbours of this name that nobody holds open any more.</summary>
    private static void RemoveAbandoned(string folder, string name)
    {
        foreach (var file in Directory.EnumerateFiles(folder, $".*{Suffix}"))
        {
            var between = System.IO.Path.GetFileName(file.AsSpan())[1..^Suffix.Length];
            if (!between.StartsWith(name, StringComparison.Ordinal) || between[name.Length..] is not ("" or ['.', _, _, _, _, _, _, _, _]))
            {
                continue;
            }

            try
            {
                using var abandoned = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.None);
                File.Delete(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another process writes it, or has just removed it.
            }
        }
    }

    private void Close()
    {
        stream?.Dispose();
        stream = null;
    }
}
