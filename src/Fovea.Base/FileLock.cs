namespace Fovea;

/// <summary>
/// A lock between processes: <c>flock</c> on a file that stays, as Python's filelock takes it, so that both exclude each other. .NET takes exactly that lock
/// where a file is opened for nobody else. On a file system that has no such locks it goes on without one, as .NET does: what is under a lock is also written
/// beside its place and renamed.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private readonly FileStream held;

    private FileLock(FileStream held) => this.held = held;

    /// <summary>Waits for a lock.</summary>
    /// <param name="waits">Called once, where another process has it.</param>
    /// <exception cref="IOException">The file cannot be made or opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static async Task<FileLock> Take(string path, CancellationToken cancel, Action? waits = null)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (var first = true; ; first = false)
        {
            if (TryTake(path) is { } taken)
            {
                return taken;
            }

            if (first)
            {
                waits?.Invoke();
            }

            await Task.Delay(Look, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Takes a lock, or gives null where another has it.</summary>
    /// <exception cref="IOException">The file cannot be made or opened for another reason: its folder is missing, the disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The same: it may not be written.</exception>
    public static FileLock? TryTake(string path)
    {
        // Group-writable, as Python's: users of a shared cache wait for one another.
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead;
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = mode;
            }

            return new FileLock(new FileStream(path, options));
        }
        catch (IOException e) when (IsHeld(e))
        {
            return null;
        }
    }

    /// <summary>Whether it is the other's lock that an error comes from: EWOULDBLOCK of <c>flock</c>, on Windows a sharing or lock violation.</summary>
    private static bool IsHeld(IOException e)
    {
        const int linux = 11, mac = 35, sharing = unchecked((int)0x80070020), locked = unchecked((int)0x80070021);
        return OperatingSystem.IsWindows() ? e.HResult is sharing or locked : e.HResult == (OperatingSystem.IsMacOS() ? mac : linux);
    }

    public void Dispose() => held.Dispose();
}
