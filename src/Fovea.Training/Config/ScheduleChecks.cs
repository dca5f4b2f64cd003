using Fovea.Training.Optim;

namespace Fovea.Training.Config;

/// <summary>What the keys of a schedule must fulfil together.</summary>
internal static class ScheduleChecks
{
    // What the first schedules took without asking which of them reads it.
    private static readonly string[] Old = ["num_cycles", "min_lr", "min_lr_rate"];

    private static readonly string[] Forms = ["linear", "cosine", "1-sqrt"];

    private static readonly Dictionary<LrSchedulerType, string[]> Reads = new()
    {
        [LrSchedulerType.Polynomial] = ["lr_end", "power"],
        [LrSchedulerType.InverseSqrt] = ["timescale"],
        [LrSchedulerType.CosineWithRestarts] = ["num_cycles"],
        [LrSchedulerType.WarmupStableDecay] = ["num_decay_steps", "num_stable_steps", "min_lr_ratio", "num_cycles", "warmup_type", "decay_type"],
        [LrSchedulerType.CosineWarmupWithMinLr] = ["num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"],
    };

    private static readonly string[] Known = [.. Old.Concat(Reads.Values.SelectMany(names => names)).Distinct()];

    public static void Run(ScheduleSection schedule, ICollection<string> problems)
    {
        Arguments(schedule, problems);
        if (schedule is { LearningRate: 0, VitLr: not null } or { LearningRate: 0, AlignerLr: not null })
        {
            problems.Add("vit_lr and aligner_lr need a learning_rate above 0, whose schedule they follow");
        }

        if (schedule is { LearningRate: 0, LrByName.Count: > 0 })
        {
            problems.Add("lr_by_name needs a learning_rate above 0, whose schedule its rates follow");
        }

        foreach (var (pattern, rate) in schedule.LrByName)
        {
            if (rate < 0)
            {
                problems.Add($"lr_by_name: the rate of '{pattern}' must be at least 0");
            }

            if (RateRule.Problem(pattern) is { } why)
            {
                problems.Add($"lr_by_name: '{pattern}' is no regular expression: {why}");
            }
        }

        if (schedule.WarmupSteps > 1 && schedule.WarmupSteps != Math.Floor(schedule.WarmupSteps))
        {
            problems.Add($"warmup_steps: {schedule.WarmupSteps} must be a whole number of steps, or a part of the run less than 1");
        }
    }

    /// <summary>Arguments that a schedule takes and does not read.</summary>
    public static IEnumerable<string> Notices(ScheduleSection schedule) => schedule.LrSchedulerKwargs.Names
        .Where(name => Old.Contains(name) && !Reads.ContainsKey(schedule.LrSchedulerType) && schedule.LrSchedulerType switch
        {
            LrSchedulerType.Cosine => name != "num_cycles",
            LrSchedulerType.CosineWithMinLr => false,
            _ => true,
        })
        .Select(name => $"lr_scheduler_kwargs.{name} is ignored: it is only read with lr_scheduler_type: "
            + (name == "num_cycles" ? "cosine and those like it" : "cosine_with_min_lr or cosine_warmup_with_min_lr"));

    private static void Arguments(ScheduleSection schedule, ICollection<string> problems)
    {
        var (type, given) = (ConfigKey.SnakeCase(schedule.LrSchedulerType.ToString()), schedule.LrSchedulerKwargs);
        var reads = Reads.GetValueOrDefault(schedule.LrSchedulerType, Old);
        foreach (var name in given.Names)
        {
            var problem = !Known.Contains(name) ? $"is not known; known are {string.Join(", ", Known)}"
                : !reads.Contains(name) ? $"is not read by lr_scheduler_type: {type}, which reads {string.Join(", ", reads)}"
                : Range(name, given, schedule.LearningRate);
            if (problem is not null)
            {
                problems.Add($"lr_scheduler_kwargs.{name} {problem}");
            }
        }

        var floors = (given.Word("min_lr") is null ? 0 : 1) + (given.Word("min_lr_rate") is null ? 0 : 1);
        if (schedule.LrSchedulerType is LrSchedulerType.CosineWithMinLr or LrSchedulerType.CosineWarmupWithMinLr && floors != 1)
        {
            problems.Add($"lr_scheduler_type: {type} needs lr_scheduler_kwargs with either min_lr or min_lr_rate");
        }

        if (schedule.LrSchedulerType == LrSchedulerType.Polynomial && given.Word("lr_end") is null && Range("lr_end", given, schedule.LearningRate) is { } why)
        {
            problems.Add($"lr_scheduler_kwargs.lr_end {why}");
        }
    }

    private static string? Range(string name, NamedValues given, double rate)
    {
        if (name is "warmup_type" or "decay_type")
        {
            return Forms.Contains(given.Word(name)) ? null : $"must be one of {string.Join(", ", Forms)}";
        }

        var number = given.Number(name) ?? (name == "lr_end" && given.Word(name) is null ? ScheduleShapes.PolynomialEnd : double.NaN);
        return name switch
        {
            _ when double.IsNaN(number) => "must be a number",
            "num_decay_steps" or "num_stable_steps" => number >= 0 && number == Math.Floor(number) ? null : "must be a whole number of steps, at least 0",
            "timescale" => number > 0 ? null : "must be a number, more than 0",
            "min_lr_ratio" or "warmup_lr_rate" => number is >= 0 and <= 1 ? null : "must be a number, at least 0 and at most 1",
            "lr_end" => number >= 0 && number < rate ? null : FormattableString.Invariant($"({number}) must be at least 0 and less than learning_rate: {rate}"),
            _ => null,
        };
    }
}
