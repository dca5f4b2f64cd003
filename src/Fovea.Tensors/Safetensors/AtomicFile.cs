using Fovea.Tensors.Native;

namespace Fovea.Tensors.Safetensors;

/// <summary>
/// Writes a file so that its name shows either the old content or the whole new one, whenever the process or the machine stops:
/// a hidden neighbour (<c>.NAME.partial</c>) is written, synced to disk and renamed, then the folder is synced.
/// A killed write leaves at most the neighbour, which the next write of the same name overwrites.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

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
    public Stream Stream => stream ?? throw new InvalidOperationException($"{Path} is written already");

    /// <summary>Opens the hidden neighbour, with room reserved for the bytes to come so that a full disk shows before anything is written.</summary>
    /// <exception cref="CheckpointException">The folder cannot be written, the disk is full, or another process is writing the same file.</exception>
    public static AtomicFile Create(string path, long expectedBytes = 0)
    {
        var full = System.IO.Path.GetFullPath(path);
        var folder = System.IO.Path.GetDirectoryName(full) ?? throw FileProblem.In(path, "cannot be written: not a file name");
        var partial = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(full)}.partial");
        return Guard(path, () =>
        {
            Directory.CreateDirectory(folder);
            if (Directory.Exists(full))
            {
                throw new IOException("it is a folder, and a file belongs there; move it away");
            }

            var options = new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
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
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    /// <summary>Syncs the content to disk and closes it; the name still shows the old content. For several files that must appear together.</summary>
    public void Complete()
    {
        if (complete)
        {
            return;
        }

        Guard(Path, () =>
        {
            var open = Stream as FileStream;
            open!.Flush(flushToDisk: true);
            open.Dispose();
            stream = null;
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
            stream?.Dispose();
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException)
        {
        }

        stream = null;
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
            throw FileProblem.In(path, "cannot be written: File too large for the file system or the process's limit (ulimit -f)", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw FileProblem.In(path, $"cannot be written: {e.Message}", e);
        }
    }
}
