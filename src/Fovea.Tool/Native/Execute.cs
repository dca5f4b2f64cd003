using System.Runtime.InteropServices;

namespace Fovea.Tool.Native;

/// <summary>Puts another program in this one's place: same process, terminal and signals, so that Ctrl-C and exit codes are its own.</summary>
internal static partial class Execute
{
    private const int SigPipe = 13;
    private const int NotFound = 127;

    /// <summary>Returns only where the program cannot be started: 127, as a shell does, with a message.</summary>
    public static int Instead(string program, IReadOnlyList<string> arguments)
    {
        // .NET ignores it, and what is ignored stays so in the next program: a pipe that nobody reads any more would be an error there.
        _ = Signal(SigPipe, 0);
        _ = Execvp(program, [program, .. arguments, null]);
        var why = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
        Console.Error.WriteLine($"fovea: {program} cannot be started: {why}. Fovea runs on Linux, with bash");
        return NotFound;
    }

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execvp(string file, string?[] arguments);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int signal, nint handler);
}
