using Fovea.Data.Sampling;
using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>
/// The learning rate of every optimizer step: linear warm-up from 0, then the chosen shape, as Transformers computes it. The scheduler of a DeepSpeed file
/// goes before that and follows <c>deepspeed/runtime/lr_schedules.py</c>.
/// </summary>
internal sealed class Schedule
{
    private readonly ScheduleSection options;
    private readonly int totalSteps;
    private readonly int warmup;
    private readonly SampleOrder? order;

    /// <param name="order">For shapes that go by batches; null where a step is one batch.</param>
    /// <exception cref="ConfigException">A DeepSpeed file counts on another number of steps.</exception>
    public Schedule(ScheduleSection options, int totalSteps, SampleOrder? order = null)
    {
        this.order = order;
        this.options = options;
        this.totalSteps = totalSteps;
        var risesAtOnce = options is { LrSchedulerType: LrSchedulerType.Constant, DeepSpeedSchedule: null };
        warmup = risesAtOnce ? 0 : options.WarmupStepsIn(totalSteps);
        if (options.DeepSpeedSchedule is { } given)
        {
            Check(given);
        }
    }

    /// <summary>The rate used by one update.</summary>
    /// <param name="step">Updates done before it: 0 for the first.</param>
    public double Rate(int step) => options.DeepSpeedSchedule is { } given ? DeepSpeed(given, step) : options.LearningRate * Factor(step);

    private double Factor(int step)
    {
        var given = options.LrSchedulerKwargs;
        switch (options.LrSchedulerType)
        {
            case LrSchedulerType.WarmupStableDecay:
                return ScheduleShapes.StableDecay(step, warmup, totalSteps, given);
            case LrSchedulerType.CosineWarmupWithMinLr:
                return ScheduleShapes.RaisedCosine(step, warmup, totalSteps, given.Number("num_cycles") ?? 0.5, Floor, given.Number("warmup_lr_rate"));
        }

        if (step < warmup)
        {
            return (double)step / Math.Max(1, warmup);
        }

        var progress = (double)(step - warmup) / Math.Max(1, totalSteps - warmup);
        return options.LrSchedulerType switch
        {
            LrSchedulerType.Constant or LrSchedulerType.ConstantWithWarmup => 1,
            LrSchedulerType.Linear => Math.Max(0, 1 - progress),
            LrSchedulerType.Cosine => Cosine(progress),
            LrSchedulerType.CosineWithMinLr => Floor + ((1 - Floor) * Cosine(progress)),
            LrSchedulerType.CosineWithRestarts => ScheduleShapes.Restarts(progress, given.Number("num_cycles") ?? 1),
            LrSchedulerType.Polynomial => ScheduleShapes.Polynomial(
                step, warmup, totalSteps, options.LearningRate, given.Number("lr_end") ?? ScheduleShapes.PolynomialEnd, given.Number("power") ?? 1),
            LrSchedulerType.InverseSqrt => ScheduleShapes.InverseSqrt(step, warmup, given.Number("timescale")),
            LrSchedulerType.CosinePlusTenth => 0.1 + (0.5 * (1 + Math.Cos(Math.PI * (Batches(step) - 1) / TotalBatches))),
            LrSchedulerType.CosineToTenth => 0.1 + (0.45 * (1 + Math.Cos(Math.PI * Batches(step) / TotalBatches))),
            _ => throw new ArgumentOutOfRangeException(nameof(step), options.LrSchedulerType, "no such schedule"),
        };
    }

    private double Batches(int step) => order?.BatchesUpTo(step) ?? step + 1;

    private double TotalBatches => order is null ? totalSteps
        : options.MaxSteps > 0 ? order.BatchesUpTo(totalSteps - 1)
        : Math.Ceiling(options.NumTrainEpochs * order.BatchesPerEpoch);

    private double Floor => options.LrSchedulerKwargs.Number("min_lr") is { } rate ? rate / options.LearningRate
        : options.LrSchedulerKwargs.Number("min_lr_rate") ?? 0;

    private double Cosine(double progress)
    {
        var cycles = options.LrSchedulerKwargs.Number("num_cycles") ?? 0.5;
        return Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 2 * cycles * progress)));
    }

    private double DeepSpeed(DeepSpeedSchedule given, int step)
    {
        // Its scheduler moves after each update and starts at -1: the first two updates have the lowest rate, and a warm-up ends one step late.
        var at = step - 1;
        var steps = Math.Max(2, warmup);
        var cosine = given.Kind == DeepSpeedScheduler.WarmupCosineLR;
        if (at < 0)
        {
            return cosine ? 0 : given.MinRate;
        }

        var risen = at >= steps ? 1 : given.Linear ? (double)at / steps : Math.Log(at + 1) / Math.Log(steps);
        if (cosine)
        {
            return options.LearningRate * (at < steps ? given.MinRatio + ((1 - given.MinRatio) * risen) : Fallen(given, at, steps));
        }

        var part = given.Kind == DeepSpeedScheduler.WarmupLR || at < steps ? risen : Math.Max(0, (totalSteps - at) / Math.Max(1.0, totalSteps - steps));
        return given.MinRate + ((options.LearningRate - given.MinRate) * part);
    }

    private double Fallen(DeepSpeedSchedule given, int at, int steps)
    {
        var progress = Math.Min(1, (at - steps + 1) / (double)Math.Max(1, totalSteps - steps));
        return Math.Max(0, given.EndRatio + ((1 - given.EndRatio) * (1 + Math.Cos(Math.PI * progress)) / 2));
    }

    private void Check(DeepSpeedSchedule given)
    {
        List<string> problems = [];
        Same("warmup_num_steps", given.WarmupSteps, warmup, "the warm-up of warmup_steps and warmup_ratio");
        Same("total_num_steps", given.TotalSteps, totalSteps, "the run");
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Same(string key, int? theirs, int mine, string what)
        {
            if (theirs is { } n && n != mine)
            {
                problems.Add($"deepspeed: {given.Source}: scheduler.params.{key}: {n} steps, but {what} has {mine}; write \"auto\" there");
            }
        }
    }
}
