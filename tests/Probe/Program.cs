using System.CommandLine;

namespace Fovea.Probe;

/// <summary>
/// What tests start where the command line program would serve too well: ranks that hang, fail or are killed, every collective in turn, faults of the
/// runtime's own. It begins and ends as that program does.
/// </summary>
internal static class Program
{
    public static int Main(string[] args) => Cli.Program.Run(
        new RootCommand("Ranks and faults on demand, for tests.") { MeshVerb.Create(), LaunchCheckVerb.Create(), SelfCheckVerb.Create() }, args);
}
