using System.CommandLine;
using Fovea.Launch;

namespace Fovea.Cli;

/// <summary>Entry point: one verb a file in <c>Verbs/</c>. Errors that the user can act on end with one message and exit code 2 or 1.</summary>
internal static class Program
{
    public static int Main(string[] args) => Run(Root(), args);

    /// <summary>Parses and runs; what goes wrong becomes a message and an exit code.</summary>
    internal static int Run(Command root, string[] args)
    {
        if (RankStart.Enter() is { } abandoned)
        {
            return abandoned;
        }

        try
        {
            var parsed = root.Parse(args);
            var code = parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
            return parsed.Errors.Count > 0 ? 2 : code;
        }
        catch (ConfigException e)
        {
            Console.Error.WriteLine(string.Join('\n', e.Problems.Select(p => $"error: {p}")));
            return 2;
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"error: {e.Message}");
            return 1;
        }
        catch (Exception e) when (Environment.GetEnvironmentVariable("FOVEA_TRACE") is not "1")
        {
            Console.Error.WriteLine($"error: {e.GetType().Name}: {e.Message}\nThis is a fault in Fovea; with FOVEA_TRACE=1 it shows where.");
            return 1;
        }
    }

    /// <summary>The whole command line.</summary>
    internal static RootCommand Root()
    {
        var root = new RootCommand("Fovea fine-tunes vision-language models from .NET.");
        foreach (var verb in Verbs())
        {
            root.Subcommands.Add(verb);
        }

        return ShortHelp.For(root);
    }

    private static IEnumerable<Command> Verbs() =>
    [
        Fovea.Cli.Verbs.TokenizeVerb.Create(),
        Fovea.Cli.Verbs.TrainVerb.Create(),
        Fovea.Cli.Verbs.DataVerb.Create(),
        Fovea.Cli.Verbs.ChatVerb.Create(),
        Fovea.Cli.Verbs.ServeVerb.Create(),
        Fovea.Cli.Verbs.BoardVerb.Create(),
        Fovea.Cli.Verbs.EvalVerb.Create(),
        Fovea.Cli.Verbs.EvaluateVerb.Create(),
        Fovea.Cli.Verbs.PredictVerb.Create(),
        Fovea.Cli.Verbs.VerifyVerb.Create(),
        Fovea.Cli.Verbs.ExportVerb.Create(),
        Fovea.Cli.Verbs.FetchVerb.Create(),
        Fovea.Cli.Verbs.PushVerb.Create(),
        Fovea.Cli.Verbs.PlanVerb.Create(),
        Fovea.Cli.Verbs.DescribeVerb.Create(),
        Fovea.Cli.Verbs.KernelsVerb.Create(),
        Fovea.Cli.Verbs.BenchVerb.Create(),
        Fovea.Cli.Verbs.DemoVerb.Create(),
    ];
}
