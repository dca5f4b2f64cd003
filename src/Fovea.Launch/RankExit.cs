namespace Fovea.Launch;

/// <summary>How a rank ended.</summary>
/// <param name="Code">Its exit code; 128 + n after signal n.</param>
/// <param name="After">Since the start of its group.</param>
/// <param name="Killed">The launcher ended it, so that its code says nothing.</param>
/// <param name="Tail">The last lines that it printed.</param>
/// <param name="OutOfMemory">The kernel killed a process for want of memory in its time.</param>
internal sealed record RankExit(
    int Rank, int Process, int Code, TimeSpan After, bool Killed, IReadOnlyList<string> Tail, string LogPath, bool OutOfMemory = false)
{
    /// <summary>Stopped on request, with a checkpoint, or before it had anything to save.</summary>
    public const int Interrupted = 130;

    /// <summary>A configuration or data that cannot be used.</summary>
    public const int Refused = 2;

    private static readonly Dictionary<int, string> Signals = new()
    {
        [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL (the processor does not know an instruction)", [6] = "SIGABRT (it aborted itself)",
        [7] = "SIGBUS (a mapped file or shared memory could not be read)", [8] = "SIGFPE", [9] = "SIGKILL (someone's kill -9, or too little memory)",
        [11] = "SIGSEGV (a fault in native code)", [13] = "SIGPIPE", [15] = "SIGTERM",
        [24] = "SIGXCPU (a limit on processor time)", [25] = "SIGXFSZ (a limit on file size)",
    };

    /// <summary>Grows with how bad it is: done, interrupted, failed, killed by a signal.</summary>
    public int Severity => Killed || Code == 0 ? 0 : Code == Interrupted ? 1 : Code > 128 ? 3 : 2;

    /// <summary>Signals that other ranks' errors cannot bring about: what failed first, whatever was seen first.</summary>
    public bool Struck => !Killed && Code is 128 + 9 or 128 + 11 or 128 + 7 or 128 + 4;

    /// <summary>In words, after "rank 1".</summary>
    public string Cause => Code == 128 + 9 && OutOfMemory
        ? "was killed by the kernel, which ran out of memory (SIGKILL)"
        : Code > 128 && Code != Interrupted
        ? $"was killed by {Signals.GetValueOrDefault(Code - 128, $"signal {Code - 128}")}"
        : $"ended with exit code {Code}";
}
