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

        var samples = (long)config.Schedule.MaxSteps * config.Schedule.PerDeviceTrainBatchSize * config.Schedule.GradientAccumulationSteps;
        if (samples > int.MaxValue / 2)
        {
            problems.Add($"streaming: true takes at most {int.MaxValue / 2:N0} samples a rank, and max_steps asks for {samples:N0}");
        }
    }
}
