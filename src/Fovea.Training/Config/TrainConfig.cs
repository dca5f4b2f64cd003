using Fovea.Data.Datasets;

namespace Fovea.Training.Config;

/// <summary>
/// A run's configuration: the keys of LLaMA-Factory's supervised fine-tuning, with its defaults (and Transformers'), and a few of our own. The file is flat;
/// here its keys lie in sections. A key is its property's name in snake case. Paths are relative to the current directory. Made by <see cref="Load"/>, which
/// reports every problem at once; the numbers are then within their ranges. Each key says what it changes, from which the rules of resuming follow.
/// </summary>
internal sealed record TrainConfig
{
    /// <summary>The base model and where it computes.</summary>
    public ModelSection Model { get; init; } = new();

    /// <summary>Where samples come from and how they are read.</summary>
    public DataOptions Data { get; init; } = new();

    /// <summary>Which parts of the model are trained, and how.</summary>
    public TuningSection Tuning { get; init; } = new();

    /// <summary>The optimizer and its settings.</summary>
    public OptimizerSection Optimizer { get; init; } = new();

    /// <summary>Steps, batches and learning rates.</summary>
    public ScheduleSection Schedule { get; init; } = new();

    /// <summary>Several processes: communication, restarts, and what is sharded.</summary>
    public ParallelSection Parallel { get; init; } = new();

    /// <summary>What is kept in memory and what is recomputed.</summary>
    public MemorySection Memory { get; init; } = new();

    /// <summary>What a run does besides training, and what it writes.</summary>
    public RunSection Run { get; init; } = new();

    /// <summary>How answers are generated.</summary>
    public GenerationSection Generation { get; init; } = new();

    /// <summary>Where a merged model goes.</summary>
    public ExportSection Export { get; init; } = new();

    /// <summary>Where named models and datasets come from, and where results go.</summary>
    public HubSection Hub { get; init; } = new();

    /// <summary>What model families have beside everybody's keys.</summary>
    public FamilySettings Family { get; init; } = new();

    /// <summary>The adapters that are folded into the base before one is trained: all but the last, on which training goes on, or all.</summary>
    public IReadOnlyList<string> AdaptersBelow =>
        Tuning.CreateNewAdapter ? Model.AdapterNameOrPath : [.. Model.AdapterNameOrPath.SkipLast(1)];

    /// <summary>Whether the weights that adapters learn over are others than those of the model's files.</summary>
    public bool ChangesBase => AdaptersBelow.Count > 0 || Tuning is { FinetuningType: FinetuningType.Lora, Start.ChangesBase: true };

    /// <summary>The keys that a user wrote with a value, by their names.</summary>
    public IReadOnlySet<string> Written { get; internal init; } = new HashSet<string>();

    /// <summary>Notices for the user, shown once: keys that were accepted without effect, and why.</summary>
    public IReadOnlyList<string> Notices { get; internal init; } = [];

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

    /// <summary>Checks what depends on the number of processes.</summary>
    /// <exception cref="ConfigException">The configuration counts on another number of them.</exception>
    public void CheckRanks(int worldSize)
    {
        Parallel.CheckRanks(worldSize);
        Schedule.CheckRanks(worldSize / Parallel.SequenceParallelSize);
        StreamingChecks.CheckRanks(this, worldSize / Parallel.SequenceParallelSize);
    }
}
