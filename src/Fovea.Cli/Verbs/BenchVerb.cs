using System.CommandLine;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea bench</c>, here for the list of verbs: the starting script builds and starts a program of its own, <c>bench/Fovea.Bench</c>.</summary>
internal static class BenchVerb
{
    public const string Name = "bench";
    public const string Description =
        "Benchmark this machine and this build: speed and memory, optionally against PyTorch and Transformers.";

    public static Command Create()
    {
        var verb = new Command(Name, Description) { TreatUnmatchedTokensAsErrors = false };
        verb.SetAction(Refuse);
        return verb;
    }

    private static int Refuse(ParseResult parsed) =>
        throw new ConfigException("bench is a program of its own: start it as './fovea bench JOB' in a checkout, which builds it");
}
