using Fovea.Nn.Lora;

namespace Fovea.Training.Config;

/// <summary>Rules between the keys of adapters: those of LLaMA-Factory and PEFT.</summary>
internal static class AdapterChecks
{
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

        foreach (var problem in new[]
        {
            LoraOptions.Problem("rank_pattern", tuning.RankPattern, ranks: true),
            LoraOptions.Problem("alpha_pattern", tuning.AlphaPattern, ranks: false),
        }.OfType<string>())
        {
            problems.Add(problem);
        }
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
        ("lora_target_parameters", tuning.LoraTargetParameters.Count > 0),
    ];

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

        if (tuning.RankPattern.Count > 0 || tuning.AlphaPattern.Count > 0)
        {
            problems.Add("lora_target_parameters goes without rank_pattern and alpha_pattern: all experts' adapters have lora_rank and lora_alpha");
        }
    }
}
