using System.Globalization;

namespace Fovea.Training.Config;

/// <summary>What <c>streaming: true</c> needs, most of it LLaMA-Factory's rules: nobody knows how many rows there are.</summary>
internal static class StreamingChecks
{
    public static void Run(TrainConfig config, ICollection<string> problems)
    {
        if (!config.Data.Streaming)
        {
            return;
        }

        if (config.Schedule.MaxSteps <= 0)
        {
            problems.Add("streaming: true needs max_steps: a stream's number of rows is not known");
        }

        if (config.Data.MaxSamples is not null)
        {
            problems.Add("streaming: true and max_samples exclude each other; max_steps limits how much is trained");
        }

        if (config.Data.ValSize > 0)
        {
            problems.Add("streaming: true holds nothing out of the stream: name held-out rows in eval_dataset instead of val_size");
        }

        if (config.Run.SaveStrategy == IntervalStrategy.Epoch || config.Run.EvalStrategy == IntervalStrategy.Epoch)
        {
            problems.Add("streaming: true has no epochs of a known length: use save_strategy and eval_strategy: steps");
        }

        if (config.Data.OnBadSample == BadSamplePolicy.Resample)
        {
            problems.Add("streaming: true cannot draw another row for a bad one: use on_bad_sample: skip or error");
        }

        if (config.Data.Given.Count > 0 && config.Data.Dataset.Any(config.Data.Given.ContainsKey))
        {
            problems.Add("streaming: true reads files; conversations that a program gives are in memory already: remove it");
        }

        if (Refusal(config, 1) is { } why)
        {
            problems.Add(why);
        }
    }

    /// <summary>Checks what depends on the number of processes.</summary>
    /// <param name="ranks">Those that have samples of their own.</param>
    /// <exception cref="ConfigException">Together they take more samples than can be numbered.</exception>
    public static void CheckRanks(TrainConfig config, int ranks)
    {
        if (config.Data.Streaming && Refusal(config, ranks) is { } why)
        {
            throw new ConfigException(why);
        }
    }

    private static string? Refusal(TrainConfig config, int ranks)
    {
        const int most = int.MaxValue / 2;
        var step = (Int128)config.Schedule.PerDeviceTrainBatchSize * config.Schedule.GradientAccumulationSteps * ranks;
        var samples = step * config.Schedule.MaxSteps;
        return samples <= most ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"streaming: true takes at most {most:N0} samples in a run, and max_steps asks for {samples:N0}, {step:N0} a step; "
            + $"lower max_steps to {most / step:N0}");
    }
}
