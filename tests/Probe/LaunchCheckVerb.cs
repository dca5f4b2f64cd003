using System.CommandLine;
using Fovea.Cli.Verbs;
using Fovea.Launch;

namespace Fovea.Probe;

/// <summary>
/// <c>launch-check ACTION...</c>: starts ranks as <c>train</c> does, which do what the actions say; see <see cref="RankActions"/>.
/// </summary>
internal static class LaunchCheckVerb
{
    public static Command Create()
    {
        var actions = new Argument<string[]>("actions") { Arity = ArgumentArity.ZeroOrMore };
        var folder = new Option<string?>("--output-dir").IsPath();
        var restarts = new Option<int>("--max-restarts");
        var grace = new Option<double>("--grace") { DefaultValueFactory = _ => 60 };
        var verb = new Command("launch-check", "Starts ranks that print, sleep, fail or hang, to see that they are looked after.")
        {
            actions, folder, restarts, grace,
        };
        verb.SetAction(result => Run(
            result.GetValue(actions)!, result.GetValue(folder), result.GetValue(restarts), TimeSpan.FromSeconds(result.GetValue(grace))));
        return verb;
    }

    private static int Run(string[] actions, string? folder, int restarts, TimeSpan grace)
    {
        var variables = LaunchVariables.FromEnvironment();
        var plan = new LaunchPlanner(variables, gpus: 0, Resources.Processors(variables), restarts > 0).Resolve();
        if (plan is LaunchPlan.Launch launch)
        {
            return Launcher.Run(launch, new LaunchJob
            {
                Arguments = [.. Environment.GetCommandLineArgs().Skip(1)],
                OutputDir = folder,
                MaxRestarts = restarts,
                Grace = grace,
                Threads = Resources.Threads(variables, launch.Processes),
                Progress = () => folder is not null && Directory.Exists(folder) ? string.Join(' ', Directory.GetFiles(folder).Order()) : null,
            });
        }

        (plan as LaunchPlan.Rank)?.Variables.Export();
        using var rank = new RankActions();
        return rank.Run(actions, folder);
    }
}
