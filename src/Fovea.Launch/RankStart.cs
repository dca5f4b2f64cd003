using System.Globalization;
using System.Runtime.InteropServices;
using Fovea.Launch.Native;

namespace Fovea.Launch;

/// <summary>The first thing a process does that the launcher has started: it ties its life to the launcher's.</summary>
internal static class RankStart
{
    /// <summary>Holds the launcher's process id.</summary>
    public const string LauncherVariable = "FOVEA_LAUNCHER";

    /// <summary>Exit code of a rank whose launcher was gone before it began.</summary>
    public const int Abandoned = 137;

#pragma warning disable IDE0052 // Nobody reads it: it is kept because a registration that is collected ends.
    private static PosixSignalRegistration? interrupt;
#pragma warning restore IDE0052

    /// <summary>Whether this process was started by the launcher, which then decides when it ends.</summary>
    public static bool Launched { get; private set; }

    /// <summary>Null to go on, else the exit code.</summary>
    public static int? Enter()
    {
        if (Environment.GetEnvironmentVariable(LauncherVariable) is not { } text
            || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var launcher))
        {
            return null;
        }

        // What this process starts has another parent.
        Environment.SetEnvironmentVariable(LauncherVariable, null);
        Launched = true;
        // In this order: a launcher that ends in between is seen by one or the other.
        ProcessControl.DieWithParent();
        // A terminal sends Ctrl-C to all of them; what it means is the launcher's to say.
        interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true);
        return ProcessControl.Parent == launcher ? null : Abandoned;
    }
}
