using System.CommandLine;
using System.CommandLine.Help;
using Fovea.Bench.Verbs;

namespace Fovea.Bench;

/// <summary>The benches, which <c>./fovea bench</c> builds and starts; the word <c>bench</c> comes first here too.</summary>
internal static class Program
{
    /// <summary>This program's file, for processes that are to run it once more.</summary>
    internal static string Path => typeof(Program).Assembly.Location;

    public static int Main(string[] args) => Cli.Program.Run(Root(), args);

    internal static Command Root() => new("fovea") { new HelpOption(), BenchVerb.Create() };
}
