using Fovea.Distributed;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Launch;

/// <summary>
/// A verb that looks at a model, by one process unless the environment asks for several (<c>NPROC_PER_NODE</c>, torchrun, Slurm, ...). GPUs alone ask for
/// nothing: a model that fits one of them needs no other.
/// </summary>
internal static class RankedRun
{
    // Somebody may think about the next question; a process that is gone is noticed by its silence.
    private static readonly TimeSpan Patience = TimeSpan.FromDays(20);

    /// <param name="load">Reads the configuration.</param>
    /// <param name="talks">Whether somebody talks with the model: several processes then serve to divide its weights alone (<c>zero: 3</c>).</param>
    /// <param name="work">What this process does; its exit code comes back.</param>
    /// <exception cref="ConfigException">Several processes were started that have nothing to divide.</exception>
    public static int Run(Func<ConfigUse, TrainConfig> load, bool talks, Func<TrainConfig, Mesh, int> work)
    {
        var variables = LaunchVariables.FromEnvironment();
        var counts = variables.Has("NPROC_PER_NODE", "PET_NPROC_PER_NODE");
        var gpus = counts ? Resources.Gpus(load(ConfigUse.Any).Model.UseCpu) : 1;
        switch (new LaunchPlanner(variables, gpus, Resources.Processors(variables), restarts: false).Resolve())
        {
            case LaunchPlan.Launch { WorldSize: > 1 } launch:
                var config = load(ConfigUse.AnyRanks);
                if (talks && config.Parallel.Zero < 3)
                {
                    Console.Error.WriteLine($"one process answers, not {launch.WorldSize}: only zero: 3 shards the weights for them");
                    break;
                }

                return Launcher.Run(launch, new LaunchJob
                {
                    Arguments = [.. Environment.GetCommandLineArgs().Skip(1)],
                    Threads = Resources.Threads(variables, launch.Processes),
                });
            case LaunchPlan.Rank { Variables.WorldSize: > 1 } rank:
                rank.Variables.Export();
                return Together(load(ConfigUse.AnyRanks), talks, work);
        }

        return work(load(ConfigUse.Any), Mesh.Alone());
    }

    private static int Together(TrainConfig config, bool talks, Func<TrainConfig, Mesh, int> work)
    {
        var ranks = RankVariables.Read();
        if (talks && config.Parallel.Zero < 3)
        {
            throw new ConfigException(
                $"zero is {config.Parallel.Zero}: {ranks.WorldSize} processes answer together only where zero: 3 shards the weights; start one");
        }

        var timeout = talks ? Patience : TimeSpan.FromSeconds(config.Parallel.DdpTimeout);
        using var mesh = Mesh.Join(ranks, timeout, () => ModelSetup.ChooseDevice(config));
        try
        {
            return work(config, mesh);
        }
        catch (Exception e)
        {
            mesh.Fail(e);
            throw;
        }
    }
}
