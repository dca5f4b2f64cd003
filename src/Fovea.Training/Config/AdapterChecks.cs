using System.Globalization;
using Fovea.Nn.Lora;

namespace Fovea.Training.Config;

/// <summary>Rules between the keys of adapters: those of LLaMA-Factory and PEFT.</summary>
internal static class AdapterChecks
{
    /// <summary>The word for the rows of new tokens.</summary>
    public const string NewTokens = "new";

    /// <summary>Keys that say what a new adapter is; one that goes on, or that a checkpoint has, is what it is.</summary>
    public static readonly IReadOnlyList<string> Shape =
    [
        "lora_rank", "lora_alpha", "lora_target", "exclude_modules", "rank_pattern", "alpha_pattern", "lora_target_parameters", "use_rslora", "use_dora",
        "init_weights", "pissa_init", "pissa_iter",
    ];

    private const string Starts = "true, gaussian, orthogonal, olora, pissa and pissa_niter_N";

    // What else PEFT and ms-swift have.
    private static readonly Dictionary<string, string> Reasons = new(StringComparer.Ordinal)
    {
        ["false"] = "the model would begin with noise in every adapted layer",
        ["loftq"] = "it rounds the base in its own way; quantization_bit: 4 has bitsandbytes'",
        ["lora-ga"] = "it begins with gradients of the whole model",
        ["lora_ga"] = "it begins with gradients of the whole model",
        ["eva"] = "it begins with the inputs that the data give",
        ["corda"] = "it begins with the inputs that the data give",
        ["mica"] = "it trains only one of its two matrices",
    };

    /// <param name="problems">Receives what is wrong.</param>
    public static void Run(TuningSection tuning, ICollection<string> problems)
    {
        if (tuning.FinetuningType != FinetuningType.Lora)
        {
            foreach (var (key, _) in Given(tuning).Where(entry => entry.IsGiven))
            {
                problems.Add($"{key} is only for finetuning_type: lora");
            }
        }

        if (tuning.LoraTarget.Count == 0)
        {
            problems.Add("lora_target is empty: use all, module names or a regular expression");
        }

        if (tuning.LoraTargetParameters.Count > 0)
        {
            Experts(tuning, problems);
        }

        Start(tuning, problems);
        Tokens(tuning, problems);
        foreach (var problem in new[]
        {
            LoraOptions.Problem("rank_pattern", tuning.RankPattern, ranks: true),
            LoraOptions.Problem("alpha_pattern", tuning.AlphaPattern, ranks: false),
        }.OfType<string>())
        {
            problems.Add(problem);
        }
    }

    /// <summary>What of the loss does not go with rows that learn alone, those of the configuration or of an adapter; null for nothing.</summary>
    public static string? LossProblem(TuningSection tuning)
    {
        var other = tuning.LabelSmoothingFactor > 0 ? "label_smoothing_factor" : tuning.ZLoss > 0 ? "z_loss" : tuning.UseDftLoss ? "use_dft_loss" : null;
        return other is null ? null : $"{other} is not supported together with trainable_token_indices; remove one of them";
    }

    private static (string Key, bool IsGiven)[] Given(TuningSection tuning) =>
    [
        ("use_rslora", tuning.UseRslora),
        ("use_dora", tuning.UseDora),
        ("loraplus_lr_ratio", tuning.LoraplusLrRatio is not null),
        ("create_new_adapter", tuning.CreateNewAdapter),
        ("exclude_modules", tuning.ExcludeModules.Count > 0),
        ("rank_pattern", tuning.RankPattern.Count > 0),
        ("alpha_pattern", tuning.AlphaPattern.Count > 0),
        ("init_weights", tuning.InitWeights != LoraStart.Plain.Name),
        ("pissa_init", tuning.PissaInit),
        ("trainable_token_indices", tuning.TrainableTokenIndices.Count > 0),
        ("lora_target_parameters", tuning.LoraTargetParameters.Count > 0),
    ];

    private static void Tokens(TuningSection tuning, ICollection<string> problems)
    {
        var wrong = tuning.TrainableTokenIndices.Where(word => word != NewTokens && !int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            .ToList();
        if (wrong.Count > 0)
        {
            problems.Add($"trainable_token_indices: {string.Join(", ", wrong)} must be {NewTokens} or ids of tokens");
        }

        if (tuning.TrainableTokenIndices.Count > 0 && LossProblem(tuning) is { } problem)
        {
            problems.Add(problem);
        }

        string[] whole = [.. tuning.AdditionalTarget.Where(name => name.EndsWith("embed_tokens", StringComparison.Ordinal)
            || name.EndsWith("lm_head", StringComparison.Ordinal))];
        if (tuning.TrainableTokenIndices.Count > 0 && whole.Length > 0)
        {
            problems.Add($"trainable_token_indices trains rows of what additional_target ({string.Join(", ", whole)}) trains whole; keep one of them");
        }
    }

    private static void Start(TuningSection tuning, ICollection<string> problems)
    {
        if (LoraStart.Parse(tuning.InitWeights) is not { } written)
        {
            problems.Add($"init_weights: {tuning.InitWeights} is not among {Starts}"
                + (Reasons.GetValueOrDefault(tuning.InitWeights.ToLowerInvariant()) is { } reason ? $": {reason}" : string.Empty));
            return;
        }

        if (tuning.PissaInit && written.Kind != LoraStartKind.Plain && written != tuning.Start)
        {
            problems.Add($"pissa_init: true begins with {tuning.Start.Name} (pissa_iter: {tuning.PissaIter}), which contradicts init_weights: "
                + $"{tuning.InitWeights}; keep one of them");
        }
    }

    private static void Experts(TuningSection tuning, ICollection<string> problems)
    {
        if (tuning.LoraDropout > 0)
        {
            problems.Add("lora_target_parameters needs lora_dropout: 0, as in PEFT, where the adapters of experts are part of their weights");
        }

        if (tuning.UseDora)
        {
            problems.Add("lora_target_parameters and use_dora exclude each other, as in PEFT: adapters of experts have no magnitudes");
        }

        if (tuning.Start.Kind is not (LoraStartKind.Plain or LoraStartKind.Gaussian))
        {
            problems.Add($"lora_target_parameters goes with init_weights: true or gaussian, not {tuning.Start.Name}");
        }

        if (tuning.RankPattern.Count > 0 || tuning.AlphaPattern.Count > 0)
        {
            problems.Add("lora_target_parameters goes without rank_pattern and alpha_pattern: all experts' adapters have lora_rank and lora_alpha");
        }
    }
}
