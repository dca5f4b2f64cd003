using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Tests;

/// <summary>Which files of a folder are opened, by whomever, as Linux counts it (inotify). To look whether a file is there opens nothing.</summary>
internal sealed partial class OpenedFiles : IDisposable
{
    private const int NonBlocking = 0x800;
    private const uint Open = 0x20;
    private const int Header = 16;

    private readonly List<string> names = [];
    private readonly SafeFileHandle events;

    public OpenedFiles(string folder)
    {
        events = inotify_init1(NonBlocking);
        TestFiles.Require(!events.IsInvalid && inotify_add_watch(events, folder, Open) >= 0, "this machine has no inotify to spare");
    }

    /// <summary>How often a file was opened since this was last asked of any.</summary>
    public int Count(string name)
    {
        Read();
        var count = names.Count(opened => opened == name);
        names.Clear();
        return count;
    }

    public void Dispose() => events.Dispose();

    /// <summary>Events are a header, whose last four bytes say how many bytes of name with padding follow.</summary>
    private void Read()
    {
        var buffer = new byte[1 << 16];
        for (nint got; (got = read(events, buffer, buffer.Length)) > 0;)
        {
            for (var at = 0; at < got;)
            {
                var length = BinaryPrimitives.ReadInt32LittleEndian(buffer.AsSpan(at + Header - 4));
                names.Add(Encoding.UTF8.GetString(buffer, at + Header, length).TrimEnd('\0'));
                at += Header + length;
            }
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial SafeFileHandle inotify_init1(int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int inotify_add_watch(SafeFileHandle events, string path, uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(SafeFileHandle file, [Out] byte[] buffer, nint count);
}
