namespace Fovea;

/// <summary>
/// A lock between processes: <c>flock</c> on a file that stays, as Python's filelock takes it, so that both exclude each other. .NET takes exactly that lock
/// where a file is opened for nobody else.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);
    private readonly FileStream held;

    private FileLock(FileStream held) => this.held = held;

    /// <summary>Waits for a lock.</summary>
    /// <param name="waits">Called once, where another process has it.</param>
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
        catch (IOException) when (File.Exists(path))
        {
            return null;
        }
    }

    public void Dispose() => held.Dispose();
}
