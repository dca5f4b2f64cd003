using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Config;

public sealed partial record TrainConfig
{
    /// <summary>What the user should be told once: keys that were accepted without effect, and why.</summary>
    public IReadOnlyList<string> Notices { get; internal init; } = [];

    /// <summary>What <see cref="Zero"/>, <see cref="Offload"/>, <see cref="Deepspeed"/> and <see cref="Fsdp"/> say together.</summary>
    public ShardingOptions Sharding => new()
    {
        Stage = Zero,
        OffloadOptimizer = Offload != OffloadKind.None,
        OffloadParameters = Offload == OffloadKind.Cpu,
        PinMemory = PinMemory,
        SaveWhole = SaveWhole,
    };

    /// <summary>The schedule of the DeepSpeed file, where it has one.</summary>
    public DeepSpeedSchedule? DeepSpeedSchedule { get; internal init; }

    /// <summary><c>train_batch_size</c> of the DeepSpeed file: samples of one step on all ranks together; null where it is left to the other keys.</summary>
    public int? DeepSpeedBatchSize { get; internal init; }

    internal bool PinMemory { get; init; } = true;

    internal bool SaveWhole { get; init; } = true;

    /// <summary>The element type in which the model computes.</summary>
    public DType Compute => Fp16 ? DType.F16 : Bf16 || PureBf16 ? DType.BF16 : DType.F32;

    /// <summary>Its name in messages.</summary>
    public string ComputeName => Compute switch { DType.F16 => "fp16", DType.BF16 => "bf16", _ => "fp32" };

    /// <summary>The adapter's alpha: as written, else twice the rank.</summary>
    public double EffectiveLoraAlpha => LoraAlpha ?? 2 * LoraRank;

    /// <summary>The mode after <see cref="DisableGradientCheckpointing"/> has had its say.</summary>
    public RecomputeMode EffectiveRecompute => Recompute == RecomputeMode.Auto && DisableGradientCheckpointing ? RecomputeMode.Never : Recompute;

    /// <summary>Whether anything may be computed again in the backward pass.</summary>
    public bool UsesRecompute => EffectiveRecompute != RecomputeMode.Never;

    /// <summary>What happens to every block where the mode says so; <c>auto</c> decides for each batch.</summary>
    public BlockMode UsualBlockMode => EffectiveRecompute switch
    {
        RecomputeMode.Always => BlockMode.Recompute,
        RecomputeMode.Selective => BlockMode.Selective,
        _ => BlockMode.Keep,
    };

    /// <summary>Where vision features are kept on disk; null for memory only.</summary>
    public string? EffectiveVisionCacheDir => VisionCacheDir switch
    {
        "none" => null,
        null => Path.Combine(CacheFolder.Path, "vision"),
        var folder => folder,
    };

    public bool UseTensorBoard => ReportTo.Any(target => target is "tensorboard" or "all");

    public int EffectiveDataSeed => DataSeed ?? Seed;

    /// <summary>Whether an evaluation is wanted at all, during training or after it.</summary>
    public bool Evaluates => EvalStrategy != IntervalStrategy.No || DoEval;

    /// <summary>Steps of linear warm-up in a run of <paramref name="totalSteps"/> (Transformers' <c>get_warmup_steps</c>).</summary>
    public int WarmupStepsIn(int totalSteps) => WarmupSteps switch
    {
        >= 1 => (int)WarmupSteps,
        > 0 => (int)Math.Ceiling(totalSteps * WarmupSteps),
        _ => (int)Math.Ceiling(totalSteps * WarmupRatio),
    };

    /// <summary>Checks what depends on the number of processes.</summary>
    /// <exception cref="ConfigException">The DeepSpeed file counts on another number of them.</exception>
    public void CheckRanks(int worldSize)
    {
        var samples = (long)PerDeviceTrainBatchSize * GradientAccumulationSteps * worldSize;
        if (DeepSpeedBatchSize is { } given && given != samples)
        {
            throw new ConfigException(
                $"deepspeed: train_batch_size: {given} is not per_device_train_batch_size: {PerDeviceTrainBatchSize} x gradient_accumulation_steps: "
                + $"{GradientAccumulationSteps} x {worldSize} processes, which is {samples}; write \"auto\" there");
        }
    }

    /// <summary>
    /// Reads a YAML or JSON file and applies overrides written <c>key=value</c>, <c>--key value</c>, <c>--key=value</c> or <c>--flag</c>.
    /// </summary>
    /// <exception cref="ConfigException">Everything that is wrong, each with key, place, value and what is allowed.</exception>
    public static TrainConfig Load(string path, IEnumerable<string>? overrides = null, ConfigUse use = ConfigUse.Train) =>
        ConfigLoader.Load(ConfigFile.Read(path), overrides ?? [], use);

    /// <summary>The same for text that is not in a file; <paramref name="name"/> stands for it in messages.</summary>
    public static TrainConfig Parse(string yaml, string name, IEnumerable<string>? overrides = null, ConfigUse use = ConfigUse.Train) =>
        ConfigLoader.Load(ConfigFile.ParseYaml(yaml, name), overrides ?? [], use);

    /// <summary>Every honoured key with its value as text, in the order of their declaration.</summary>
    public IReadOnlyDictionary<string, string> ToDictionary() => ConfigKeys.Describe(this);
}
