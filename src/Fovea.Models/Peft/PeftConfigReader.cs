using System.Collections.ObjectModel;
using System.Text.Json;
using Fovea.Nn.Lora;

namespace Fovea.Models.Peft;

/// <summary>Reads an adapter_config.json. Features that Fovea lacks are refused by name, keys that it does not know are passed over.</summary>
internal static class PeftConfigReader
{
    // Each would change what the adapter computes, so it may be present only switched off.
    private static readonly Dictionary<string, string> Refused = new(StringComparer.Ordinal)
    {
        ["use_qalora"] = "QA-LoRA is not supported",
        ["use_bdlora"] = "block-diagonal LoRA is not supported",
        ["lora_bias"] = "biases of the adapter are not supported",
        ["fan_in_fan_out"] = "transposed weights are not supported",
        ["loftq_config"] = "LoftQ changes the base weights and is not supported",
        ["layer_replication"] = "replicated layers are not supported",
        ["alora_invocation_tokens"] = "activated LoRA is not supported",
        ["arrow_config"] = "routed adapters are not supported",
        ["megatron_config"] = "Megatron's layers are not supported",
        ["velora_config"] = "VeLoRA is not supported",
        ["monteclora_config"] = "MonteCLoRA is not supported",
        ["kasa_config"] = "KaSA is not supported",
    };

    // It only draws A, so that what is saved is a plain adapter.
    private const string PlainStart = "eva";

    public static PeftConfig Read(string path)
    {
        using var document = JsonFile.ReadObject(path, $"an adapter is a folder with {PeftConfig.FileName} and adapter_model.safetensors");
        var root = document.RootElement;

        var problems = new List<string>();
        CheckFeatures(path, root, problems);
        var rank = Number(path, root, "r", 8, problems);
        if (rank < 1 || rank != Math.Floor(rank) || rank > 65536)
        {
            problems.Add($"{path}: r must be a whole number from 1 to 65536, not {rank}");
        }

        var dropout = Number(path, root, "lora_dropout", 0, problems);
        if (dropout is < 0 or >= 1)
        {
            problems.Add($"{path}: lora_dropout must be in [0, 1), not {dropout}");
        }

        var config = new PeftConfig
        {
            BaseModel = Text(root, "base_model_name_or_path"),
            Revision = Text(root, "revision"),
            TaskType = Text(root, "task_type"),
            Lora = new LoraOptions
            {
                Rank = rank is >= 1 and <= 65536 ? (int)rank : 1,
                Alpha = Number(path, root, "lora_alpha", 8, problems),
                Dropout = dropout,
                RankStabilized = IsTrue(root, "use_rslora"),
                Start = LoraStart.Parse(Text(root, "init_lora_weights") ?? LoraStart.Plain.Name) ?? LoraStart.Plain,
                Decomposed = IsTrue(root, "use_dora"),
                RankPattern = Patterns(path, root, "rank_pattern", problems),
                AlphaPattern = Patterns(path, root, "alpha_pattern", problems),
            },
            ExcludePattern = Text(root, "exclude_modules") is { Length: > 0 } exclude ? exclude : null,
            ExcludeModules = Words(path, root, "exclude_modules", problems) is { Count: > 0 } names ? names : null,
            TargetPattern = Text(root, "target_modules") is var pattern and not "all-linear" ? pattern : null,
            TargetModules = Words(path, root, "target_modules", problems),
            Layers = Layers(path, root, problems),
            LayersPattern = Text(root, "layers_pattern") is { Length: > 0 } layers ? [layers] : Words(path, root, "layers_pattern", problems) ?? [],
            TargetParameters = Words(path, root, "target_parameters", problems) ?? [],
            ModulesToSave = Words(path, root, "modules_to_save", problems) ?? [],
            TokenIndices = Tokens(path, root, problems),
        };
        if (config is { Layers.Count: > 0, TargetModules: null })
        {
            problems.Add($"{path}: layers_to_transform needs a list of names in target_modules, as in PEFT");
        }

        CheckExperts(path, config, problems);
        return problems.Count == 0 ? config : throw new ConfigException(problems);
    }

    /// <summary>Experts' adapters are a part of their weights in PEFT, and some features are for linears alone.</summary>
    private static void CheckExperts(string path, PeftConfig config, List<string> problems)
    {
        if (config.TargetParameters.Count == 0)
        {
            return;
        }

        if (config.Lora.Dropout > 0)
        {
            problems.Add($"{path}: lora_dropout must be 0 with target_parameters, as in PEFT: adapters of experts are part of the weight there");
        }

        if (config.Lora.Decomposed)
        {
            problems.Add($"{path}: use_dora is not for target_parameters, as in PEFT: adapters of experts have no magnitudes");
        }

        if (config.Lora.Start.ChangesBase)
        {
            problems.Add($"{path}: init_lora_weights {config.Lora.Start.Name} is not for target_parameters, as in PEFT");
        }

        if (config.Lora.HasPatterns)
        {
            problems.Add($"{path}: rank_pattern and alpha_pattern are not supported together with target_parameters");
        }
    }

    private static void CheckFeatures(string path, JsonElement root, List<string> problems)
    {
        if (Text(root, "peft_type") is var type && type != "LORA")
        {
            problems.Add($"{path}: peft_type {type ?? "null"} is not supported; supported: LORA");
        }

        if (Text(root, "bias") is { } bias and not "none")
        {
            problems.Add($"{path}: bias {bias} is not supported: biases are trainable only with the base; supported: none");
        }

        if (Text(root, "init_lora_weights") is { } start and not PlainStart && LoraStart.Parse(start) is null)
        {
            problems.Add($"{path}: init_lora_weights {start} changes the base weights, which is not supported; convert it to plain LoRA in PEFT");
        }

        foreach (var (key, reason) in Refused)
        {
            if (Has(root, key, out var value) && !IsOff(value))
            {
                problems.Add($"{path}: {key} is set to {JsonText.Show(value)}: {reason}");
            }
        }
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.String => value.GetString()!.Length == 0,
        _ => false,
    };

    private static bool Has(JsonElement root, string key, out JsonElement value) =>
        root.TryGetProperty(key, out value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);

    private static List<long> Layers(string path, JsonElement root, List<string> problems)
    {
        if (!Has(root, "layers_to_transform", out var value))
        {
            return [];
        }

        JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        if (items.All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out var layer) && layer >= 0))
        {
            return [.. items.Select(item => item.GetInt64())];
        }

        problems.Add($"{path}: layers_to_transform must be numbers of layers, not {JsonText.Show(value)}");
        return [];
    }

    private static Dictionary<string, IReadOnlyList<int>> Tokens(string path, JsonElement root, List<string> problems)
    {
        const string key = "trainable_token_indices";
        var tables = new Dictionary<string, IReadOnlyList<int>>(StringComparer.Ordinal);
        if (!Has(root, key, out var value) || IsOff(value))
        {
            return tables;
        }

        List<(string Name, JsonElement Ids)> given = value.ValueKind == JsonValueKind.Object
            ? [.. value.EnumerateObject().Select(pair => (pair.Name, pair.Value))]
            : [(PeftConfig.Embeddings, value)];
        foreach (var (name, ids) in given)
        {
            int[] read = ids.ValueKind == JsonValueKind.Array
                ? [.. ids.EnumerateArray().Select(id => JsonText.Whole(id) is >= 0 and <= int.MaxValue and { } number ? (int)number : -1)]
                : [-1];
            if (read.Contains(-1) || read.Distinct().Count() != read.Length)
            {
                problems.Add($"{path}: {key} must be a list of different ids, or a map from modules to such lists, not {JsonText.Show(value)}");
                break;
            }

            tables.Add(name, read);
        }

        return tables;
    }

    private static bool IsTrue(JsonElement root, string key) => Has(root, key, out var value) && value.ValueKind == JsonValueKind.True;

    private static IReadOnlyDictionary<string, double> Patterns(string path, JsonElement root, string key, List<string> problems)
    {
        if (!Has(root, key, out var value) || IsOff(value))
        {
            return ReadOnlyDictionary<string, double>.Empty;
        }

        var map = new Dictionary<string, double>();
        foreach (var pair in value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : [])
        {
            map[pair.Name] = JsonText.Real(pair.Value) ?? 0; // 0 is reported below
        }

        var problem = value.ValueKind != JsonValueKind.Object ? $"{key} must be a map from names to numbers, not {JsonText.Show(value)}"
            : LoraOptions.Problem(key, map, ranks: key == "rank_pattern");
        if (problem is not null)
        {
            problems.Add($"{path}: {problem}");
            return ReadOnlyDictionary<string, double>.Empty;
        }

        return map;
    }

    private static string? Text(JsonElement root, string key) =>
        Has(root, key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static double Number(string path, JsonElement root, string key, double otherwise, List<string> problems)
    {
        if (!Has(root, key, out var value))
        {
            return otherwise;
        }

        if (JsonText.Real(value) is { } number)
        {
            return number;
        }

        problems.Add($"{path}: {key} must be a number, not {JsonText.Show(value)}");
        return otherwise;
    }

    private static List<string>? Words(string path, JsonElement root, string key, List<string> problems)
    {
        if (!Has(root, key, out var value) || value.ValueKind == JsonValueKind.String)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String))
        {
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        }

        problems.Add($"{path}: {key} must be a list of names or null, not {JsonText.Show(value)}");
        return null;
    }
}
