using Fovea.Data.Sampling;
using Fovea.Training.Config;

namespace Fovea.Training.Engine;

/// <summary>The learning rate of every optimizer step: linear warm-up from 0, then the chosen shape, as Transformers computes it.</summary>
public sealed class Schedule
{
    private readonly TrainConfig config;
    private readonly int totalSteps;
    private readonly int warmup;
    private readonly SampleOrder? order;

    /// <param name="order">For shapes that go by batches; null where a step is one batch.</param>
    public Schedule(TrainConfig config, int totalSteps, SampleOrder? order = null)
    {
        this.order = order;
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
            LrSchedulerType.CosinePlusTenth => 0.1 + (0.5 * (1 + Math.Cos(Math.PI * (Batches(step) - 1) / TotalBatches))),
            LrSchedulerType.CosineToTenth => 0.1 + (0.45 * (1 + Math.Cos(Math.PI * Batches(step) / TotalBatches))),
            _ => throw new ArgumentOutOfRangeException(nameof(step), config.LrSchedulerType, "no such schedule"),
        };
    }

    private double Batches(int step) => order?.BatchesUpTo(step) ?? step + 1;

    private double TotalBatches => order is null ? totalSteps
        : config.MaxSteps > 0 ? order.BatchesUpTo(totalSteps - 1)
        : Math.Ceiling(config.NumTrainEpochs * order.BatchesPerEpoch);

    private double Floor => config.LrSchedulerKwargs.TryGetValue("min_lr", out var rate) ? rate / config.LearningRate
        : config.LrSchedulerKwargs.TryGetValue("min_lr_rate", out var part) ? part
        : 0;

    private double Cosine(double progress)
    {
        var cycles = config.LrSchedulerKwargs.TryGetValue("num_cycles", out var n) ? n : 0.5;
        return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 2 * cycles * progress)));
    }
}
