namespace Fovea.Training.Config;

/// <summary>Makes one thing of the three ways to ask for ZeRO: <c>zero</c> and <c>offload</c>, a DeepSpeed file, and FSDP's words.</summary>
internal static class ShardingRules
{
    private const string Words = "full_shard, shard_grad_op or no_shard, with offload and auto_wrap beside it";

    /// <param name="written">What was written, by key; a null value counts as not written.</param>
    /// <param name="use">A DeepSpeed file is read only where a run is meant.</param>
    /// <returns>The configuration with <c>zero</c> and <c>offload</c> as all of them say.</returns>
    public static TrainConfig Resolve(
        TrainConfig config, IReadOnlyDictionary<string, ConfigEntry> written, ConfigUse use, ICollection<string> problems, ICollection<string> notices)
    {
        if (use is not (ConfigUse.Train or ConfigUse.Plan or ConfigUse.AnyRanks))
        {
            return config;
        }

        var deepSpeed = written.TryGetValue("deepspeed", out var file) && !file.Value.IsOff;
        var fsdp = written.TryGetValue("fsdp", out var words) && !words.Value.IsOff;
        if (deepSpeed && fsdp)
        {
            problems.Add($"{words!.Problem($"contradicts deepspeed: {config.Parallel.Deepspeed}; keep one of them")}");
        }
        else if (deepSpeed)
        {
            config = DeepSpeed(config, file!, written, problems, notices);
        }
        else if (fsdp)
        {
            config = Fsdp(config, words!, written, problems, notices);
        }

        if (config is { Parallel.Offload: not OffloadKind.None, Parallel.Zero: 0 })
        {
            problems.Add($"offload: {Name(config.Parallel.Offload)} needs zero: 1, 2 or 3 (one process may have it too)");
        }
        else if (config is { Parallel.Offload: OffloadKind.Cpu, Parallel.Zero: < 3 })
        {
            problems.Add($"offload: cpu takes weights that only zero: 3 shards, and zero is {config.Parallel.Zero}; use offload: optimizer, or zero: 3");
        }

        return config;
    }

    private static TrainConfig DeepSpeed(
        TrainConfig config, ConfigEntry entry, IReadOnlyDictionary<string, ConfigEntry> written, ICollection<string> problems, ICollection<string> notices)
    {
        if (config.Parallel.Deepspeed is not { } source)
        {
            return config;
        }

        ConfigNode.Map root;
        try
        {
            root = DeepSpeedFile.Read(source);
        }
        catch (FormatException e)
        {
            problems.Add(entry.Problem(e.Message));
            return config;
        }

        var name = DeepSpeedFile.Name(source);
        var reader = new DeepSpeedReader(config, name, text => problems.Add(entry.Problem(text)));
        reader.Read(root);
        if (reader is { OffloadsParameters: true, Stage: < 3 })
        {
            problems.Add(entry.Problem($"{name}: zero_optimization.offload_param needs stage 3, which alone shards weights; use offload_optimizer"));
        }

        if (reader.Ignored.Count > 0)
        {
            notices.Add($"deepspeed: {name}: without effect here: {string.Join(", ", reader.Ignored)}");
        }

        if (reader is { OffloadsParameters: true, OffloadsOptimizer: false })
        {
            notices.Add($"deepspeed: {name}: with offload_param the optimizer's state lies in the host's memory too");
        }

        if (reader.HasOptimizer && config.Optimizer.WeightDecay > 0)
        {
            notices.Add($"deepspeed: {name}: DeepSpeed's own AdamW lets biases and norms decay too; here weight_decay leaves them alone");
        }

        if (reader.Schedule is { } schedule)
        {
            notices.Add($"deepspeed: {name}: its scheduler {schedule.Kind} takes the place of lr_scheduler_type: "
                + ConfigKey.SnakeCase(config.Schedule.LrSchedulerType.ToString()));
        }

        var offload = reader.OffloadsParameters ? OffloadKind.Cpu : reader.OffloadsOptimizer ? OffloadKind.Optimizer : OffloadKind.None;
        var agreed = Agree(config, reader.Stage, offload, entry, name, written, problems);
        return agreed with
        {
            Parallel = agreed.Parallel with { PinMemory = reader.PinMemory ?? true, SaveWhole = reader.SaveWhole ?? true },
            Schedule = agreed.Schedule with { DeepSpeedSchedule = reader.Schedule, DeepSpeedBatchSize = reader.BatchSize },
        };
    }

    private static TrainConfig Fsdp(
        TrainConfig config, ConfigEntry entry, IReadOnlyDictionary<string, ConfigEntry> written, ICollection<string> problems, ICollection<string> notices)
    {
        var (stage, offload) = (-1, false);
        foreach (var word in config.Parallel.Fsdp.SelectMany(text => text.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            switch (word.ToLowerInvariant())
            {
                case "full_shard" or "true" when stage < 0:
                    stage = 3;
                    break;
                case "shard_grad_op" when stage < 0:
                    stage = 2;
                    break;
                case "no_shard" when stage < 0:
                    stage = 0;
                    break;
                case "offload":
                    offload = true;
                    break;
                case "auto_wrap":
                    break;
                default:
                    problems.Add(entry.Problem($"{word} is refused: it must be {Words}"));
                    return config;
            }
        }

        if (stage < 0 || (offload && stage == 0))
        {
            problems.Add(entry.Problem($"{entry.Value} is not allowed: it must be {Words}{(offload ? "; offload needs one that shards" : string.Empty)}"));
            return config;
        }

        if (offload && stage == 2)
        {
            notices.Add("fsdp: shard_grad_op offload: weights stay on the device, since they are not sharded; the optimizer's state goes to the host");
        }

        var kind = !offload ? OffloadKind.None : stage == 3 ? OffloadKind.Cpu : OffloadKind.Optimizer;
        return Agree(config, stage, kind, entry, entry.Value.ToString()!, written, problems);
    }

    /// <summary>The other way's stage and offload; keys of our own beside it must say the same.</summary>
    private static TrainConfig Agree(
        TrainConfig config, int stage, OffloadKind offload, ConfigEntry entry, string name, IReadOnlyDictionary<string, ConfigEntry> written,
        ICollection<string> problems)
    {
        if (written.TryGetValue("zero", out var zero) && config.Parallel.Zero != stage)
        {
            problems.Add(zero.Problem($"{config.Parallel.Zero} contradicts {entry.Key}: {name}, which is zero: {stage}; keep one of them"));
        }

        if (written.TryGetValue("offload", out var where) && config.Parallel.Offload != offload)
        {
            problems.Add(where.Problem(
                $"{Name(config.Parallel.Offload)} contradicts {entry.Key}: {name}, which is offload: {Name(offload)}; keep one of them"));
        }

        return config with { Parallel = config.Parallel with { Zero = stage, Offload = offload } };
    }

    private static string Name(OffloadKind kind) => ConfigKey.SnakeCase(kind.ToString());
}
