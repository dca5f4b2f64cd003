using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Launch;

/// <summary>A training run as a job for ranks, and how it goes on after a failure.</summary>
internal sealed class TrainJob
{
    private const string GraceVariable = "FOVEA_STOP_SECONDS";
    private readonly TrainConfig config;
    private readonly IReadOnlyList<string> arguments;
    private readonly CheckpointStore checkpoints;
    private readonly string? found;

    private TrainJob(TrainConfig config, IReadOnlyList<string> arguments)
    {
        this.config = config;
        this.arguments = arguments;
        checkpoints = new CheckpointStore(config.Run.OutputDir, limit: null);
        found = Saved();
    }

    /// <param name="arguments">All arguments of the program.</param>
    public static LaunchJob Create(TrainConfig config, IReadOnlyList<string> arguments, LaunchVariables variables, int processes)
    {
        var job = new TrainJob(config, arguments);
        var standard = new LaunchJob
        {
            Arguments = arguments,
            Again = job.Again,
            Progress = job.Saved,
            OutputDir = config.Run.OutputDir,
            MaxRestarts = Restarts(config, variables),
            Threads = Resources.Threads(variables, processes),
        };
        return variables.Count(0, GraceVariable) is { } seconds ? standard with { Grace = TimeSpan.FromSeconds(seconds) } : standard;
    }

    /// <summary>The environment's number, as LLaMA-Factory and Kubeflow set it, before the file's.</summary>
    public static int Restarts(TrainConfig config, LaunchVariables variables) =>
        variables.Count(0, "MAX_RESTARTS", "PET_MAX_RESTARTS") ?? config.Parallel.MaxRestarts;

    private (IReadOnlyList<string> Arguments, string How) Again()
    {
        // What lay there before belongs to an earlier run, unless this one was to go on from it.
        var newest = checkpoints.Newest;
        if (newest is not null && Saved() != found)
        {
            return ([.. arguments, "--resume_from_checkpoint=true"], $"from {Path.GetFileName(newest)}");
        }

        var given = config.Run.ResumeFromCheckpoint;
        if (given is not null && !IsOneOf(given, "false", "auto"))
        {
            return (arguments, $"from {(IsOneOf(given, "true") ? Path.GetFileName(newest) : given)}, as before");
        }

        return newest is not null && (!config.Run.OverwriteOutputDir || (given is not null && IsOneOf(given, "auto")))
            ? (arguments, $"from {Path.GetFileName(newest)}, as before")
            : ([.. arguments, "--overwrite_output_dir=true"], "from the beginning: no checkpoint was saved yet");
    }

    private static bool IsOneOf(string value, params ReadOnlySpan<string> words)
    {
        foreach (var word in words)
        {
            if (value.Equals(word, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Names what was saved last.</summary>
    private string? Saved()
    {
        try
        {
            return checkpoints.Trace;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
