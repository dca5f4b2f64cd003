using System.Runtime.InteropServices;

namespace Fovea.Native;

/// <summary>The few calls of the C library that .NET does not offer (x86-64 Linux).</summary>
internal static partial class LibC
{
    private const int ProtRead = 1;
    private const int MapShared = 1;
    private const int MadvDontNeed = 4;
    private const int OpenDirectory = 0x10000;
    private const int OpenCloseOnExec = 0x80000;

    /// <summary>Maps a whole file for reading.</summary>
    public static nint MapRead(SafeHandle file, long length)
    {
        var address = Mmap(0, (nuint)length, ProtRead, MapShared, file, 0);
        return address != -1 ? address : throw Failure("mmap");
    }

    public static void Unmap(nint address, long length) => _ = Munmap(address, (nuint)length);

    public static void Forget(nint address, long length) => _ = Madvise(address, (nuint)length, MadvDontNeed);

    /// <summary>Makes the names in a directory durable, as <c>fsync</c> on a file does not.</summary>
    public static void SyncDirectory(string path)
    {
        var descriptor = Open(path, OpenDirectory | OpenCloseOnExec);
        if (descriptor < 0)
        {
            throw Failure($"opening {path}");
        }

        try
        {
            // Some network file systems cannot sync a directory (EINVAL); there is nothing more to be done there.
            const int invalid = 22;
            if (Fsync(descriptor) != 0 && Marshal.GetLastPInvokeError() != invalid)
            {
                throw Failure($"fsync of {path}");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Failure(string what) => new($"{what}: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Mmap(nint address, nuint length, int protection, int flags, SafeHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Munmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Madvise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
