using System.Collections.ObjectModel;
using Fovea.Nn.Lora;

namespace Fovea.Models.Peft;

/// <summary>An <c>adapter_config.json</c> as PEFT reads and writes it, for LoRA.</summary>
internal sealed record PeftConfig
{
    public const string FileName = "adapter_config.json";

    private const string Parameters = "target_parameters";
    private const string Exclude = "exclude_modules";
    private const string Indices = "trainable_token_indices";

    /// <summary>The module of the embeddings, which a list of ids alone means.</summary>
    public const string Embeddings = "embed_tokens";

    /// <summary>The base model's folder as it was written: absolute, or relative to where training ran. Null when the file names none.</summary>
    public string? BaseModel { get; init; }

    public LoraOptions Lora { get; init; } = new();

    /// <summary>A regular expression for the whole path of a linear; excludes <see cref="TargetModules"/>.</summary>
    public string? TargetPattern { get; init; }

    /// <summary>Paths of linears or their last parts. Null together with <see cref="TargetPattern"/>: whatever the adapter's file holds.</summary>
    public IReadOnlyList<string>? TargetModules { get; init; }

    /// <summary>A regular expression for the whole path of linears that get none; excludes <see cref="ExcludeModules"/>.</summary>
    public string? ExcludePattern { get; init; }

    /// <summary>Paths of linears, or their last parts, that get none.</summary>
    public IReadOnlyList<string>? ExcludeModules { get; init; }

    /// <summary>Numbers of the layers whose linears <see cref="TargetModules"/> means; none is all.</summary>
    public IReadOnlyList<long> Layers { get; init; } = [];

    /// <summary>Regular expressions for the name before a layer's number, of which the first that is found counts; none is whatever stands there.</summary>
    public IReadOnlyList<string> LayersPattern { get; init; } = [];

    /// <summary>Weights of experts, whole paths or their last parts, that have adapters beside the linears.</summary>
    public IReadOnlyList<string> TargetParameters { get; init; } = [];

    /// <summary>Modules that were trained in full and lie beside the adapter.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Rows of tables that are trained in their place: ids by the end of the table's module.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<int>> TokenIndices { get; init; } = ReadOnlyDictionary<string, IReadOnlyList<int>>.Empty;

    /// <summary>What the base model is for; null where the adapter does not say.</summary>
    public string? TaskType { get; init; } = "CAUSAL_LM";

    public string? Revision { get; init; }

    /// <summary>The configuration of a fresh adapter.</summary>
    /// <param name="baseModel">As the user wrote it.</param>
    /// <param name="additionalTarget">Modules trained in full beside it.</param>
    /// <param name="parameters">Weights of experts.</param>
    public static PeftConfig For(
        string baseModel, LoraOptions lora, LoraTargets targets, IReadOnlyList<string>? additionalTarget = null,
        IReadOnlyList<string>? parameters = null) => new()
    {
        BaseModel = baseModel,
        Lora = lora,
        TargetPattern = targets.Pattern,
        TargetModules = targets.Pattern is null ? targets.ModuleNames : null,
        TargetParameters = parameters ?? [],
        ModulesToSave = additionalTarget ?? [],
    };

    /// <exception cref="ConfigException">The file is missing or malformed, or asks for what Fovea does not have; everything at once, by name.</exception>
    public static PeftConfig Read(string folder) => PeftConfigReader.Read(Path.Combine(folder, FileName));

    /// <summary>Whether a weight belongs to one of <see cref="ModulesToSave"/>, by PEFT's rule: the module's path ends with the name.</summary>
    /// <param name="parameter">Name of the weight, in either spelling.</param>
    public bool SavesWhole(string parameter)
    {
        if (ModulesToSave.Count == 0)
        {
            return false;
        }

        for (var dot = parameter.LastIndexOf('.'); dot > 0; dot = parameter.LastIndexOf('.', dot - 1))
        {
            var module = parameter[..dot];
            if (ModulesToSave.Any(name => module.EndsWith(name, StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The file's text: the fields that every release of PEFT knows, and of newer ones those that are used, laid out as PEFT does.</summary>
    public string ToJson() => PythonJson.Pretty(Fields().Where(Shows).ToDictionary());

    /// <summary>Writes it into a folder, atomically.</summary>
    public void Write(string folder) => AtomicFile.WriteText(Path.Combine(folder, FileName), ToJson());

    private static bool Shows(KeyValuePair<string, object?> field) => field.Key switch
    {
        Parameters => field.Value is IReadOnlyList<string> { Count: > 0 },
        Exclude or Indices => field.Value is not null,
        _ => true,
    };

    /// <summary>In its own order, since the first of the patterns that match counts.</summary>
    private static List<KeyValuePair<string, object?>> Ordered(IReadOnlyDictionary<string, double> map) =>
        [.. map.Select(pair => KeyValuePair.Create(pair.Key, (object?)Number(pair.Value)))];

    private static object Number(double value) => value == Math.Floor(value) ? (object)(long)value : value;

    private Dictionary<string, object?> Fields() => new()
    {
        ["alpha_pattern"] = Ordered(Lora.AlphaPattern),
        ["auto_mapping"] = null,
        ["base_model_name_or_path"] = BaseModel,
        ["bias"] = "none",
        [Exclude] = (object?)ExcludePattern ?? ExcludeModules,
        ["fan_in_fan_out"] = false,
        ["inference_mode"] = true,
        ["init_lora_weights"] = Lora.Start.Kind == LoraStartKind.Plain ? true : Lora.Start.Name,
        ["layer_replication"] = null,
        ["layers_pattern"] = LayersPattern.Count == 0 ? null : LayersPattern,
        ["layers_to_transform"] = Layers.Count == 0 ? null : Layers,
        ["loftq_config"] = new Dictionary<string, object?>(),
        ["lora_alpha"] = Number(Lora.Alpha),
        ["lora_dropout"] = Lora.Dropout,
        ["megatron_config"] = null,
        ["megatron_core"] = "megatron.core",
        ["modules_to_save"] = ModulesToSave.Count == 0 ? null : ModulesToSave,
        ["peft_type"] = "LORA",
        ["r"] = Lora.Rank,
        ["rank_pattern"] = Ordered(Lora.RankPattern),
        ["revision"] = Revision,
        ["target_modules"] = (object?)TargetPattern ?? TargetModules,
        [Parameters] = TargetParameters,
        ["task_type"] = TaskType,
        [Indices] = TokenIndices.Count == 0 ? null
            : TokenIndices is { Count: 1 } && TokenIndices.TryGetValue(Embeddings, out var ids) ? ids
            : TokenIndices.ToDictionary(pair => pair.Key, object? (pair) => pair.Value),
        ["use_dora"] = Lora.Decomposed,
        ["use_rslora"] = Lora.RankStabilized,
    };
}
