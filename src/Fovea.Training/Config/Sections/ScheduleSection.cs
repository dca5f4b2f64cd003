using System.Globalization;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Keys;
using Fovea.Training.Session;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Steps, batches and learning rates.</summary>
internal sealed record ScheduleSection
{
    /// <summary>Samples per batch and process; with <see cref="GradientAccumulationSteps"/> it determines which samples make up one step.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int PerDeviceTrainBatchSize { get; init; } = 8;

    /// <summary>Batches per optimizer step.</summary>
    [Bounds(1)]
    [Affects(Learning, As = nameof(RunProgress.SamplesPerStep))] public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Peak learning rate of the schedule.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double LearningRate { get; init; } = 5e-5;

    /// <summary>Peak learning rate of the vision tower, as in ms-swift; null is <see cref="LearningRate"/>.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double? VitLr { get; init; }

    /// <summary>Peak learning rate of the projector between vision tower and language model, as in ms-swift; null is <see cref="LearningRate"/>.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double? AlignerLr { get; init; }

    /// <summary>Peak learning rates of weights by regular expressions for their names; the first match counts, before the rates of parts.</summary>
    [Affects(Learning)] public IReadOnlyDictionary<string, double> LrByName { get; init; } = new Dictionary<string, double>();

    /// <summary>Number of epochs over the training samples.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Learning)] public double NumTrainEpochs { get; init; } = 3;

    /// <summary>Number of optimizer steps; if positive, takes precedence over the epochs.</summary>
    [Bounds(1, Or = -1)]
    [Affects(Learning)] public int MaxSteps { get; init; } = -1;

    /// <summary>How the learning rate decays after the warm-up.</summary>
    [Affects(Learning)] public LrSchedulerType LrSchedulerType { get; init; } = LrSchedulerType.Linear;

    /// <summary>Arguments of the schedule, by Transformers' names: <c>num_cycles</c>, <c>min_lr</c>, <c>lr_end</c>; see optimizers.md.</summary>
    [Affects(Learning)] public NamedValues LrSchedulerKwargs { get; init; } = NamedValues.None;

    /// <summary>Warm-up as a fraction of total steps; <see cref="WarmupSteps"/> takes precedence.</summary>
    [Bounds(0, 1)]
    [Affects(Learning)] public double WarmupRatio { get; init; }

    /// <summary>Warm-up steps, or a fraction of total steps if below 1; see <see cref="WarmupStepsIn"/>.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double WarmupSteps { get; init; }

    /// <summary>Rounding of an uneven epoch's steps: up (today's Transformers), down (early 2025), or the rest into the next epoch (<c>carry</c>).</summary>
    [Affects(Learning)] public StepRounding StepRounding { get; init; } = StepRounding.Ceil;

    /// <summary><c>token</c>: trained tokens weigh the same; <c>mean</c>: mean of batch means, as LLaMA-Factory; <c>accumulate</c>: as plain loops.</summary>
    [Affects(Learning)] public LossReduction LossReduction { get; init; } = LossReduction.Token;

    /// <summary>The schedule of the DeepSpeed file, if it has one.</summary>
    public DeepSpeedSchedule? DeepSpeedSchedule { get; internal init; }

    /// <summary><c>train_batch_size</c> of the DeepSpeed file: samples per step on all ranks together; null if it is left to the other keys.</summary>
    public int? DeepSpeedBatchSize { get; internal init; }

    /// <summary>Steps of linear warm-up in a run of <paramref name="totalSteps"/> (Transformers' <c>get_warmup_steps</c>).</summary>
    public int WarmupStepsIn(int totalSteps) => WarmupSteps switch
    {
        >= 1 => (int)WarmupSteps,
        > 0 => (int)Math.Ceiling(totalSteps * WarmupSteps),
        _ => (int)Math.Ceiling(totalSteps * WarmupRatio),
    };

    /// <summary>Samples of an optimizer step on all processes together.</summary>
    /// <param name="worldSize">Those that have samples of their own.</param>
    /// <exception cref="ConfigException">They are more than can be counted.</exception>
    public int SamplesPerStep(int worldSize)
    {
        var samples = (Int128)PerDeviceTrainBatchSize * GradientAccumulationSteps * worldSize;
        return samples <= int.MaxValue ? (int)samples : throw new ConfigException(string.Create(
            CultureInfo.InvariantCulture,
            $"per_device_train_batch_size: {PerDeviceTrainBatchSize} x gradient_accumulation_steps: {GradientAccumulationSteps} x {worldSize} processes "
            + $"is {samples:N0} samples a step, of which there can be {int.MaxValue:N0}; lower one of the two keys"));
    }

    /// <summary>Checks what depends on the number of processes.</summary>
    /// <param name="worldSize">Those that have samples of their own.</param>
    /// <exception cref="ConfigException">The DeepSpeed file counts on another number of them, or a step has too many samples.</exception>
    public void CheckRanks(int worldSize)
    {
        var samples = SamplesPerStep(worldSize);
        if (DeepSpeedBatchSize is { } given && given != samples)
        {
            throw new ConfigException(
                $"deepspeed: train_batch_size: {given} is not per_device_train_batch_size: {PerDeviceTrainBatchSize} x gradient_accumulation_steps: "
                + $"{GradientAccumulationSteps} x {worldSize} processes, which is {samples}; write \"auto\" there");
        }
    }
}
