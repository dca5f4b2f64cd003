using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Hub.Fetching;

/// <summary>Which files of a repository are wanted.</summary>
internal sealed partial record FileChoice
{
    /// <summary>Patterns of which a file has to match one; without any, what the kind of repository needs.</summary>
    public IReadOnlyList<Glob> Include { get; init; } = [];

    /// <summary>Patterns of which a file may match none.</summary>
    public IReadOnlyList<Glob> Exclude { get; init; } = [];

    /// <summary>What a model or an adapter is read from, where nothing is said.</summary>
    public static FileChoice Needed { get; } = new();

    /// <summary>Everything.</summary>
    public static FileChoice Whole { get; } = new() { Include = [new Glob("*")] };

    /// <summary>Small files first: they say which large ones are wanted.</summary>
    public IReadOnlyList<HubFile> First(RepoKind kind, IReadOnlyList<HubFile> files) =>
        [.. files.Where(file => Include.Count > 0 || kind == RepoKind.Dataset ? Included(kind, file) : IsDescription(file.Path, files)).Where(Kept)];

    /// <summary>What these say about the rest.</summary>
    /// <param name="read">Gives the place of a file that was among the first, or null.</param>
    public IReadOnlyList<HubFile> Then(RepoKind kind, IReadOnlyList<HubFile> files, Func<string, string?> read) =>
        Include.Count > 0 || kind == RepoKind.Dataset ? [] : [.. Weights(files, read).Concat(Code(files, read)).Where(Kept)];

    private bool Included(RepoKind kind, HubFile file) => Include.Count > 0
        ? Include.Any(glob => glob.Matches(file.Path))
        : kind == RepoKind.Dataset && !file.Path.Split('/')[^1].StartsWith('.');

    private bool Kept(HubFile file) => !Exclude.Any(glob => glob.Matches(file.Path));

    // Configuration, tokenizer, processor, chat template. Indexes of other formats are not needed, nor is what trained the model (training_args.bin, logs).
    private static bool IsDescription(string path, IReadOnlyList<HubFile> files) => path.StartsWith("additional_chat_templates/", StringComparison.Ordinal)
        ? path.EndsWith(".jinja", StringComparison.Ordinal)
        : !path.Contains('/') && Path.GetExtension(path) switch
        {
            ".json" => !(OtherIndex().IsMatch(path) || path is "trainer_state.json" or "all_results.json" or "train_results.json" or "eval_results.json")
                && (path != "pytorch_model.bin.index.json" || !files.Any(file => file.Path is "model.safetensors" or "model.safetensors.index.json")),
            ".txt" => path is "merges.txt" or "vocab.txt",
            ".jinja" or ".model" or ".tiktoken" => true,
            _ => false,
        };

    /// <summary>Safetensors before pickles; of several sets of them the one that Transformers loads.</summary>
    private static IEnumerable<HubFile> Weights(IReadOnlyList<HubFile> files, Func<string, string?> read)
    {
        var root = files.Where(file => !file.Path.Contains('/')).ToDictionary(file => file.Path);
        IReadOnlyList<string> adapters = ["adapter_model.safetensors", "adapter_model.bin"];
        if (root.ContainsKey("adapter_config.json") && adapters.FirstOrDefault(root.ContainsKey) is { } adapter)
        {
            return [root[adapter]];
        }

        foreach (var (single, index, kind) in Sets)
        {
            if (root.TryGetValue(single, out var whole))
            {
                return [whole];
            }

            if (root.ContainsKey(index) && read(index) is { } place)
            {
                return Shards(place).Where(root.ContainsKey).Select(name => root[name]);
            }

            var loose = root.Values.Where(file => file.Path.EndsWith(kind, StringComparison.Ordinal) && !OtherWeights().IsMatch(file.Path)).ToList();
            if (loose.Count > 0)
            {
                return loose;
            }
        }

        return [];
    }

    /// <summary>Files that the code in config.json or tokenizer_config.json needs: kept for loaders that run it, never run here.</summary>
    private static IEnumerable<HubFile> Code(IReadOnlyList<HubFile> files, Func<string, string?> read)
    {
        var named = ((string[])["config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"])
            .Select(read).OfType<string>().Any(NamesCode);
        return named ? files.Where(file => !file.Path.Contains('/') && file.Path.EndsWith(".py", StringComparison.Ordinal)) : [];
    }

    private static readonly (string Single, string Index, string Kind)[] Sets =
    [
        ("model.safetensors", "model.safetensors.index.json", ".safetensors"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json", ".bin"),
        ("model.pth", "model.pth.index.json", ".pth"),
    ];

    /// <summary>The shards that an index names.</summary>
    internal static IReadOnlyList<string> Shards(string index)
    {
        using var json = JsonFile.ReadObject(index);
        return json.RootElement.TryGetProperty("weight_map", out var map) && map.ValueKind == JsonValueKind.Object
            ? [.. map.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.String).Select(entry => entry.Value.GetString()!)
                .Distinct().Where(HubFile.IsSafe).Order(StringComparer.Ordinal)]
            : [];
    }

    private static bool NamesCode(string path)
    {
        using var json = JsonFile.ReadObject(path, lenient: true);
        return json.RootElement.TryGetProperty("auto_map", out _);
    }

    [GeneratedRegex(@"^(?:flax_model|tf_model|model\.onnx|consolidated)[^/]*\.json$", RegexOptions.CultureInvariant)]
    private static partial Regex OtherIndex();

    [GeneratedRegex(
        @"^(?:consolidated|adapter_model|training_args|optimizer|scheduler|scaler|rng_state)|\.(?:fp16|bf16|fp32|non_ema)\.", RegexOptions.CultureInvariant)]
    private static partial Regex OtherWeights();
}
