using Fovea.Training.Config;

namespace Fovea.Training.Engine;

/// <summary>The learning rate of every optimizer step: linear warm-up from 0, then the chosen shape, as Transformers computes it.</summary>
public sealed class Schedule
{
    private readonly TrainConfig config;
    private readonly int totalSteps;
    private readonly int warmup;

    public Schedule(TrainConfig config, int totalSteps)
    {
        this.config = config;
        this.totalSteps = totalSteps;
        warmup = config.LrSchedulerType == LrSchedulerType.Constant ? 0 : config.WarmupStepsIn(totalSteps);
    }

    /// <summary>The rate used by one update.</summary>
    /// <param name="step">Updates done before it: 0 for the first.</param>
    public double Rate(int step) => config.LearningRate * Factor(step);

    private double Factor(int step)
    {
        if (step < warmup)
        {
            return (double)step / Math.Max(1, warmup);
        }

        var progress = (double)(step - warmup) / Math.Max(1, totalSteps - warmup);
        return config.LrSchedulerType switch
        {
            LrSchedulerType.Constant or LrSchedulerType.ConstantWithWarmup => 1,
            LrSchedulerType.Linear => Math.Max(0, 1 - progress),
            LrSchedulerType.Cosine => Cosine(progress),
            LrSchedulerType.CosineWithMinLr => Floor + ((1 - Floor) * Cosine(progress)),
            _ => throw new ArgumentOutOfRangeException(nameof(step), config.LrSchedulerType, "no such schedule"),
        };
    }

    private double Floor => config.LrSchedulerKwargs.TryGetValue("min_lr", out var rate) ? rate / config.LearningRate
        : config.LrSchedulerKwargs.TryGetValue("min_lr_rate", out var part) ? part
        : 0;

    private double Cosine(double progress)
    {
        var cycles = config.LrSchedulerKwargs.TryGetValue("num_cycles", out var n) ? n : 0.5;
        return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 2 * cycles * progress)));
    }
}
