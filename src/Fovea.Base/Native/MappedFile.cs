namespace Fovea.Native;

/// <summary>
/// A file mapped read-only into memory. Pages are read when touched and shared with every process that maps the file.
/// Writing through the address is a fault, and so is touching a file that was truncated since: files in use may be replaced
/// (by rename), never rewritten in place.
/// </summary>
internal sealed unsafe class MappedFile : RawMemory
{
    private MappedFile(string path, byte* pointer, long length)
        : base(pointer, length) => Path = path;

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <exception cref="CheckpointException">There is no such file, it is a directory, or it cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new CheckpointException($"{path}: is a directory, expected a file");
        }

        try
        {
            using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var length = RandomAccess.GetLength(handle);
            return new MappedFile(path, length == 0 ? null : (byte*)LibC.MapRead(handle, length), length);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"{path}: no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new CheckpointException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Lets the system take back the pages of the file that were read; they come back from disk when touched again.</summary>
    public void DropPages() => DropPages(0, Length);

    /// <summary>The same for the whole pages inside a range.</summary>
    public void DropPages(long offset, long length)
    {
        CheckRange(offset, length);
        long page = Environment.SystemPageSize;
        var first = (offset + page - 1) / page * page;
        var last = offset + length == Length ? Length : (offset + length) / page * page;
        if (last > first)
        {
            LibC.Forget((nint)(Pointer + first), last - first);
        }
    }

    private protected override void Free()
    {
        if (Pointer != null)
        {
            LibC.Unmap(Address, Length);
        }
    }
}
