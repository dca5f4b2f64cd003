using Fovea.Tensors;
using Fovea.Training.Config;

namespace Fovea.Bench;

/// <summary>
/// A whole fine-tune as a configuration says, each run in a process of its own; with the peer the same samples, batches and rates from the same adapter in
/// PyTorch and Transformers, in turns: ours, theirs, ours.
/// </summary>
internal static class DemoBench
{
    /// <summary>How far apart the two sides' first losses may be: more means that they do not train the same.</summary>
    public const double LossTolerance = 1e-2;

    /// <param name="progress">Told what goes on, a line each.</param>
    public static DemoBenchResult Run(DemoBenchOptions options, Action<string> progress)
    {
        var work = Directory.CreateTempSubdirectory("fovea-bench-").FullName;
        try
        {
            return Run(options, work, progress);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>Refuses a comparison of two runs that do not train the same.</summary>
    /// <exception cref="ConfigException">The first losses differ by more than <see cref="LossTolerance"/>.</exception>
    public static void RequireSameJob(DemoRound ours, DemoRound theirs)
    {
        List<string> problems = [];
        if (!(Math.Abs(ours.Losses[0] - theirs.Losses[0]) <= LossTolerance))
        {
            problems.Add($"the first losses differ, {ours.Losses[0]:0.0000} here and {theirs.Losses[0]:0.0000} in PyTorch: the two do not train the same, "
                + $"and their times are not compared (at most {LossTolerance} is allowed)");
        }

        if ((ours.Samples, ours.Tokens, ours.Steps) != (theirs.Samples, theirs.Tokens, theirs.Steps))
        {
            problems.Add($"{ours.Samples} samples, {ours.Tokens} tokens and {ours.Steps} steps here, {theirs.Samples}, {theirs.Tokens} and {theirs.Steps} "
                + "in PyTorch: their times are not compared");
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    private static DemoBenchResult Run(DemoBenchOptions options, string work, Action<string> progress)
    {
        var (path, overrides) = options.Config is { } given ? (given, []) : DemoFixture.Write(Path.Combine(work, "own"));
        List<string> keys = [.. overrides, .. options.Overrides];
        if (options.Config is null)
        {
            progress($"no configuration given: {DemoFixture.Description}");
        }

        var config = DemoOnce.Prepare(TrainConfig.Load(path, keys), Path.Combine(work, "out"));
        if (options.Peer)
        {
            DemoPlan.Write(config, work);
            keys.Add($"adapter_name_or_path={DemoPlan.AdapterIn(work)}");
        }

        var (ours, theirs) = (new List<DemoRound>(), new List<DemoRound>());
        for (var round = 0; round < options.Rounds; round++)
        {
            Ours();
            if (options.Peer)
            {
                theirs.Add(Tell("PyTorch and Transformers", Peer(options, config, work)));
                RequireSameJob(ours[^1], theirs[^1]);
            }
        }

        if (options.Peer)
        {
            Ours();
        }

        return new DemoBenchResult
        {
            Config = string.Join(' ', [options.Config ?? DemoFixture.Description, .. options.Overrides]),
            Threads = Torch.Threads,
            Dtype = config.Model.Bf16 || config.Model.PureBf16 ? "bf16" : "fp32",
            Fovea = new DemoSide(ours),
            Peer = theirs.Count > 0 ? new DemoSide(theirs) : null,
        };

        void Ours() => ours.Add(Tell("fovea", Own(path, keys, Path.Combine(work, "out"))));

        DemoRound Tell(string who, DemoRound round)
        {
            progress($"{who}: {round.TrainSeconds:0.0} s for {round.Samples} samples in {round.Steps} steps, start-up {round.StartupSeconds:0.0} s, "
                + $"first loss {round.Losses[0]:0.0000}, last {round.Losses[^1]:0.0000}");
            return round;
        }
    }

    private static DemoRound Own(string path, IReadOnlyList<string> keys, string output)
    {
        using var process = PeerProcess.Own(["bench", "demo", path, .. keys, "--once", output, "--threads", Torch.Threads.ToString()]);
        return BenchOutput.FromJson<DemoRound>(process.Read());
    }

    private static DemoRound Peer(DemoBenchOptions options, TrainConfig config, string work)
    {
        var attention = options.PeerAttention ?? (config.Model.Bf16 ? "eager" : "sdpa");
        string[] recompute = options.PeerRecompute ? ["--recompute"] : [];
        using var process = new PeerProcess(
            "demo.py", [DemoPlan.PathIn(work), "--threads", Torch.Threads.ToString(), "--attention", attention, .. recompute]);
        return BenchOutput.FromJson<DemoRound>(process.Read());
    }
}
