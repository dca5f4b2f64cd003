using System.Globalization;

namespace Fovea.Training.Config;

/// <summary>
/// Reads a DeepSpeed configuration beside Fovea's own. <c>auto</c> takes a value from the own keys; any other must equal theirs, as Transformers wants it
/// (<c>HfTrainerDeepSpeedConfig</c>). Every problem is collected.
/// </summary>
internal sealed class DeepSpeedReader(TrainConfig config, string name, Action<string> problem)
{
    private const string Auto = "auto";
    private readonly List<string> ignored = [];

    /// <summary>0 to 3.</summary>
    public int Stage { get; private set; }

    public bool OffloadsOptimizer { get; private set; }

    public bool OffloadsParameters { get; private set; }

    public bool? PinMemory { get; private set; }

    public bool? SaveWhole { get; private set; }

    public DeepSpeedSchedule? Schedule { get; private set; }

    public int? BatchSize { get; private set; }

    /// <summary>Whether it brings an optimizer of its own, whose decay knows no exceptions.</summary>
    public bool HasOptimizer { get; private set; }

    /// <summary>Keys that are there and change nothing.</summary>
    public IReadOnlyList<string> Ignored => ignored;

    public void Read(ConfigNode.Map root)
    {
        foreach (var (key, value) in root.Pairs)
        {
            switch (key)
            {
                case "train_batch_size":
                    BatchSize = Whole(key, value, 1);
                    break;
                case "train_micro_batch_size_per_gpu":
                    Same(key, value, config.Schedule.PerDeviceTrainBatchSize, "per_device_train_batch_size");
                    break;
                case "gradient_accumulation_steps":
                    Same(key, value, config.Schedule.GradientAccumulationSteps, "gradient_accumulation_steps");
                    break;
                case "gradient_clipping":
                    Same(key, value, config.Optimizer.MaxGradNorm, "max_grad_norm");
                    break;
                case "fp16" or "bf16" or "bfloat16":
                    Types(key, value);
                    break;
                case "optimizer":
                    Optimizer(value);
                    break;
                case "scheduler":
                    Scheduler(value);
                    break;
                case "zero_optimization":
                    Zero(value);
                    break;
                default:
                    Other(key, key, value, DeepSpeedKeys.Ignored, DeepSpeedKeys.Refused, DeepSpeedKeys.Read);
                    break;
            }
        }
    }

    private void Types(string section, ConfigNode node)
    {
        foreach (var (key, value) in Section(section, node))
        {
            if (key != "enabled")
            {
                Other($"{section}.{key}", key, value, DeepSpeedKeys.IgnoredOfTypes, DeepSpeedKeys.RefusedOfTypes, ["enabled"], tell: false);
            }
            else if (Flag($"{section}.enabled", value) is { } on)
            {
                var mine = section == "fp16" ? config.Model.Fp16 : config.Model.Bf16 || config.Model.PureBf16;
                if (on != mine)
                {
                    Contradicts($"{section}.enabled", value, section == "fp16" ? "fp16" : "bf16", mine ? "true" : "false");
                }
            }
        }
    }

    private void Optimizer(ConfigNode node)
    {
        HasOptimizer = true;
        if (!config.Optimizer.IsAdamW)
        {
            problem($"{name}: its optimizer, AdamW, contradicts optim: {ConfigKey.SnakeCase(config.Optimizer.Kind.ToString())}; remove it from the file");
        }

        foreach (var (key, value) in Section("optimizer", node))
        {
            if (key == "type")
            {
                if (Text(value).ToLowerInvariant() is not ("adamw" or "adam"))
                {
                    problem($"{name}: optimizer.type: {value} is refused: it must be AdamW; remove the optimizer from the file, and optim counts");
                }
            }
            else if (key == "params")
            {
                foreach (var (inner, given) in Section("optimizer.params", value))
                {
                    Parameter(inner, given);
                }
            }
            else
            {
                Other($"optimizer.{key}", key, value, new HashSet<string>(), new Dictionary<string, RefusedKey>(), ["type", "params"]);
            }
        }
    }

    private void Parameter(string key, ConfigNode value)
    {
        var path = $"optimizer.params.{key}";
        switch (key)
        {
            case "lr":
                Same(path, value, config.Schedule.LearningRate, "learning_rate");
                break;
            case "eps":
                Same(path, value, config.Optimizer.AdamEpsilon, "adam_epsilon");
                break;
            case "weight_decay":
                Same(path, value, config.Optimizer.WeightDecay, "weight_decay");
                break;
            case "betas" when value is ConfigNode.Items { Values: [var first, var second] }:
                Same($"{path}[0]", first, config.Optimizer.AdamBeta1, "adam_beta1");
                Same($"{path}[1]", second, config.Optimizer.AdamBeta2, "adam_beta2");
                break;
            case "betas":
                if (!IsAuto(value))
                {
                    problem($"{name}: {path}: {value} is not allowed: it must be two numbers, or auto");
                }

                break;
            case "adam_w_mode" or "bias_correction":
                if (Flag(path, value) == false)
                {
                    problem($"{name}: {path}: false is refused: the optimizer is AdamW");
                }

                break;
            case "amsgrad":
                if (Flag(path, value) == true)
                {
                    problem($"{name}: {path}: true is refused: the optimizer is AdamW");
                }

                break;
            default:
                Other(
                    path, key, value, new HashSet<string> { "torch_adam", "fp32_optimizer_states", "set_grad_none" }, new Dictionary<string, RefusedKey>(),
                    ["lr", "betas", "eps", "weight_decay"]);
                break;
        }
    }

    private void Scheduler(ConfigNode node)
    {
        var pairs = Section("scheduler", node).ToDictionary(pair => pair.Key, pair => pair.Value);
        var type = pairs.Remove("type", out var written) ? Text(written) : string.Empty;
        var parameters = pairs.Remove("params", out var given) ? Section("scheduler.params", given).ToDictionary(pair => pair.Key, pair => pair.Value) : [];
        foreach (var (key, value) in pairs)
        {
            Other($"scheduler.{key}", key, value, new HashSet<string>(), new Dictionary<string, RefusedKey>(), ["type", "params"]);
        }

        if (!Enum.TryParse<DeepSpeedScheduler>(type, out var kind) || int.TryParse(type, out _))
        {
            problem($"{name}: scheduler.type: {(type.Length == 0 ? "is missing" : type)} is refused: there are "
                + $"{string.Join(", ", Enum.GetNames<DeepSpeedScheduler>())}; or remove the scheduler, and lr_scheduler_type counts");
            return;
        }

        var schedule = new DeepSpeedSchedule(kind, name);
        foreach (var (key, value) in parameters)
        {
            var path = $"scheduler.params.{key}";
            switch (key)
            {
                case "warmup_min_lr" when kind != DeepSpeedScheduler.WarmupCosineLR:
                    schedule = schedule with { MinRate = Number(path, value, 0) ?? 0 };
                    break;
                case "warmup_max_lr" when kind != DeepSpeedScheduler.WarmupCosineLR:
                    Same(path, value, config.Schedule.LearningRate, "learning_rate");
                    break;
                case "warmup_num_steps":
                    schedule = schedule with { WarmupSteps = Whole(path, value, 0) };

                    // A part of the run has no number yet.
                    if (config.Schedule.WarmupSteps >= 1 || (config.Schedule.WarmupSteps == 0 && config.Schedule.WarmupRatio == 0))
                    {
                        Same(path, value, config.Schedule.WarmupSteps, "warmup_steps");
                    }

                    break;
                case "total_num_steps" when kind != DeepSpeedScheduler.WarmupLR:
                    schedule = schedule with { TotalSteps = Whole(path, value, 1) };
                    break;
                case "warmup_min_ratio" when kind == DeepSpeedScheduler.WarmupCosineLR:
                    schedule = schedule with { MinRatio = Number(path, value, 0) ?? 0 };
                    break;
                case "cos_min_ratio" when kind == DeepSpeedScheduler.WarmupCosineLR:
                    schedule = schedule with { EndRatio = Number(path, value, 0) ?? schedule.EndRatio };
                    break;
                case "warmup_type" when Text(value) is "log" or "linear":
                    schedule = schedule with { Linear = Text(value) == "linear" };
                    break;
                case "warmup_type":
                    problem($"{name}: {path}: {value} is not allowed: it must be log or linear");
                    break;
                case "last_batch_iteration" when Text(value) == "-1":
                    break;
                default:
                    problem($"{name}: {path} is not supported for {kind}");
                    break;
            }
        }

        Need("warmup_num_steps", true, "is missing, which is 1000 for DeepSpeed: write \"auto\" for warmup_steps");
        Need("total_num_steps", kind != DeepSpeedScheduler.WarmupLR, "is missing: write \"auto\" for the steps of the run");
        Need("warmup_max_lr", kind == DeepSpeedScheduler.WarmupDecayLR, "is missing, which is 0.001 for DeepSpeed: write \"auto\" for learning_rate");
        Schedule = schedule;

        void Need(string key, bool needed, string what)
        {
            if (needed && !parameters.ContainsKey(key))
            {
                problem($"{name}: scheduler.params.{key} {what}");
            }
        }
    }

    private void Zero(ConfigNode node)
    {
        foreach (var (key, value) in Section("zero_optimization", node))
        {
            var path = $"zero_optimization.{key}";
            switch (key)
            {
                case "stage":
                    var stage = IsAuto(value) ? null : Whole(path, value, 0);
                    if (stage is null or > 3)
                    {
                        problem($"{name}: {path}: {value} is not allowed: it must be 0, 1, 2 or 3");
                    }

                    Stage = stage is >= 0 and <= 3 ? stage.Value : 0;
                    break;
                case "offload_optimizer":
                    OffloadsOptimizer = Offloads(path, value);
                    break;
                case "offload_param":
                    OffloadsParameters = Offloads(path, value);
                    break;
                case "stage3_gather_16bit_weights_on_model_save" or "stage3_gather_fp16_weights_on_model_save" or "gather_16bit_weights_on_model_save":
                    SaveWhole = Flag(path, value);
                    break;
                default:
                    Other(
                        path, key, value, DeepSpeedKeys.IgnoredOfZero, DeepSpeedKeys.RefusedOfZero,
                        ["stage", "offload_optimizer", "offload_param", "stage3_gather_16bit_weights_on_model_save"]);
                    break;
            }
        }
    }

    private bool Offloads(string section, ConfigNode node)
    {
        var offloads = false;
        foreach (var (key, value) in Section(section, node))
        {
            var path = $"{section}.{key}";
            switch (key)
            {
                case "device" when Text(value) is "cpu" or "none":
                    offloads = Text(value) == "cpu";
                    break;
                case "device":
                    problem($"{name}: {path}: {value} is refused: it must be cpu or none");
                    break;
                case "pin_memory":
                    PinMemory = (Flag(path, value) ?? true) && (PinMemory ?? true);
                    break;
                default:
                    Other(path, key, value, DeepSpeedKeys.IgnoredOfOffload, DeepSpeedKeys.RefusedOfOffload, ["device", "pin_memory"]);
                    break;
            }
        }

        return offloads;
    }

    private void Other(
        string path, string key, ConfigNode value, IReadOnlySet<string> harmless, IReadOnlyDictionary<string, RefusedKey> refused, string[] read,
        bool tell = true)
    {
        if (harmless.Contains(key))
        {
            if (tell)
            {
                ignored.Add(path);
            }
        }
        else if (refused.TryGetValue(key, out var reason))
        {
            var off = value is ConfigNode.Map map && map.Pairs.Any(pair => pair.Key == "enabled" && pair.Value.IsOff);
            if (!off && reason.Refuses(value))
            {
                problem($"{name}: {path}: {value} is refused: {reason.Reason}");
            }
        }
        else
        {
            var near = NearestKey.To(key, read.Concat(harmless).Concat(refused.Keys));
            problem($"{name}: {path} is not supported{(near is null ? string.Empty : $"; did you mean {near}?")}");
        }
    }

    private IReadOnlyList<KeyValuePair<string, ConfigNode>> Section(string path, ConfigNode node)
    {
        if (node is ConfigNode.Map map)
        {
            return map.Pairs;
        }

        if (node is not ConfigNode.Scalar { Text: null })
        {
            problem($"{name}: {path}: {node} is not allowed: it must be an object");
        }

        return [];
    }

    private void Same(string path, ConfigNode value, double mine, string key)
    {
        if (Number(path, value, double.NegativeInfinity) is { } theirs && theirs != mine)
        {
            Contradicts(path, value, key, mine.ToString(CultureInfo.InvariantCulture));
        }
    }

    private void Contradicts(string path, ConfigNode theirs, string key, string mine) =>
        problem($"{name}: {path}: {theirs} contradicts {key}: {mine}; write \"auto\" there to follow this configuration");

    /// <summary>Null for auto, and where it is none.</summary>
    private double? Number(string path, ConfigNode value, double least)
    {
        if (IsAuto(value) || value is ConfigNode.Scalar { Text: null })
        {
            return null;
        }

        if (double.TryParse(Text(value), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number >= least)
        {
            return number;
        }

        problem($"{name}: {path}: {value} is not allowed: it must be a number{(double.IsFinite(least) ? $", at least {least}" : string.Empty)}, or auto");
        return null;
    }

    private int? Whole(string path, ConfigNode value, int least)
    {
        if (Number(path, value, least) is not { } number)
        {
            return null;
        }

        if (number == Math.Floor(number) && number <= int.MaxValue)
        {
            return (int)number;
        }

        problem($"{name}: {path}: {value} is not allowed: it must be a whole number, or auto");
        return null;
    }

    private bool? Flag(string path, ConfigNode value)
    {
        switch (Text(value).ToLowerInvariant())
        {
            case "true":
                return true;
            case "false":
                return false;
            case Auto or "":
                return null;
            default:
                problem($"{name}: {path}: {value} is not allowed: it must be true, false or auto");
                return null;
        }
    }

    private static bool IsAuto(ConfigNode value) => value is ConfigNode.Scalar { Text: Auto };

    private static string Text(ConfigNode value) => (value as ConfigNode.Scalar)?.Text ?? string.Empty;
}
