namespace Fovea;

/// <summary>
/// The settings of a fine-tuning run. A setting that is null keeps what the run's configuration file says, or the default, which is LLaMA-Factory's
/// unless said otherwise. Every key of a configuration file that has no property here is set by name: <c>options["key"] = value</c>.
/// Values are checked, all at once, when the run is planned or started.
/// </summary>
public sealed class FineTuneOptions
{
    private readonly Dictionary<string, object?> others = new(StringComparer.Ordinal);

    /// <summary>What is trained: adapters (the default), all weights, or selected layers.</summary>
    [Key("finetuning_type")]
    public FinetuningType? Method { get; set; }

    /// <summary>Element types of the run; default: fp32.</summary>
    public Precision? Precision { get; set; }

    /// <summary><c>auto</c> (the default: a GPU where there is one), <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    [Key("device")]
    public string? Device { get; set; }

    /// <summary>Seed of sample order, weight initialisation and dropout; at least 0, default 42.</summary>
    [Key("seed")]
    public int? Seed { get; set; }

    /// <summary>Bitwise reproducible results on a GPU too, at some cost in speed; default false. On a CPU they always are.</summary>
    [Key("deterministic")]
    public bool? Deterministic { get; set; }

    /// <summary>Folders of adapters to start from: all but the last are merged into the base, training continues with the last.</summary>
    [Key("adapter_name_or_path")]
    public IReadOnlyList<string>? StartFromAdapters { get; set; }

    /// <summary>Low-rank adapters.</summary>
    public LoraSettings Lora { get; } = new();

    /// <summary>A base model in 4 bits.</summary>
    public QuantizationSettings Quantization { get; } = new();

    /// <summary>Which parts of the model are frozen.</summary>
    public FreezeSettings Freeze { get; } = new();

    /// <summary>The optimizer and its rates.</summary>
    public OptimizerSettings Optimizer { get; } = new();

    /// <summary>Steps, batches and learning rates.</summary>
    public ScheduleSettings Schedule { get; } = new();

    /// <summary>How samples are read.</summary>
    public DataSettings Data { get; } = new();

    /// <summary>What is kept in memory and what is recomputed.</summary>
    public MemorySettings Memory { get; } = new();

    /// <summary>Logs, evaluations and checkpoints.</summary>
    public OutputSettings Output { get; } = new();

    /// <summary>Any key of a configuration file, for instance <c>options["lr_scheduler_kwargs"] = "{min_lr_rate: 0.1}"</c>.</summary>
    /// <param name="key">As in a YAML file; an unknown one is reported with the nearest known one.</param>
    /// <value>Text as in a YAML file, or a number, a Boolean, or a list of texts. Null means that the key is not set.</value>
    public object? this[string key]
    {
        get => others.GetValueOrDefault(key);
        set => others[key] = value;
    }

    /// <summary>What was set by name.</summary>
    internal IReadOnlyDictionary<string, object?> Others => others;
}
