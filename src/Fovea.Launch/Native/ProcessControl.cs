using System.Runtime.InteropServices;

namespace Fovea.Launch.Native;

/// <summary>What Linux offers to tie processes together and .NET does not.</summary>
internal static partial class ProcessControl
{
    public const int Interrupt = 2;
    public const int Terminate = 15;
    public const int Kill = 9;
    private const int SetParentDeathSignal = 1;

    /// <summary>The process that started this one; 1, or a reaper's, when that one has gone.</summary>
    public static int Parent => ParentId();

    /// <summary>
    /// From now on the kernel kills this process when the thread that started it ends, however it ends. Whether that had happened before
    /// is for the caller to see from <see cref="Parent"/>, afterwards.
    /// </summary>
    public static bool DieWithParent() => Control(SetParentDeathSignal, Kill, 0, 0, 0) == 0;

    /// <summary>Sends a signal to a process, or to the group of a negative id; false when it has gone.</summary>
    public static bool Signal(int process, int signal) => Send(process, signal) == 0;

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int ParentId();

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Send(int process, int signal);
}
