namespace Fovea.Training.Config;

/// <summary>
/// The arguments of OpenBMB's <c>finetune.py</c> that have no key of their own here, and its defaults where <c>data_path</c> beside one of them shows that
/// they are meant.
/// Source: OpenBMB/MiniCPM-V, <c>finetune/finetune.py</c>.
/// </summary>
internal static class OfficialArguments
{
    private const string DataPath = "data_path";

    // What finetune.py and the script's Trainer take where nothing is said, as far as it differs from ours.
    private static readonly (string Key, string Value)[] Defaults =
    [
        ("tune_vision", "true"), ("tune_llm", "true"), ("use_lora", "false"), ("max_slice_nums", "9"), ("lora_rank", "64"), ("lora_alpha", "64"),
        ("lora_dropout", "0.05"), ("lora_target", @"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj)"), ("loss_reduction", "mean"),
        ("on_bad_sample", "resample"),
    ];

    // Keys of ours that nobody else's trainer has.
    private static readonly string[] Own = ["llm_type", "max_slice_nums", "model_max_length", "lora_target_modules"];

    /// <summary>Keys that are turned into others.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "tune_vision", "tune_llm", "use_lora", "q_lora", "lora_weight_path", "lora_bias", "lora_modules_to_save", "lora_layer_replication",
        "lora_layers_to_transform", "lora_layers_pattern",
    ];

    /// <summary>The entries with these arguments turned into keys of ours.</summary>
    public static IReadOnlyList<ConfigEntry> Expand(IReadOnlyList<ConfigEntry> given, ICollection<string> problems, ICollection<string> notices)
    {
        if (!given.Any(entry => Own.Contains(entry.Key) || Names.Contains(entry.Key)))
        {
            return given;
        }

        var entries = given.ToDictionary(entry => Canonical(entry.Key));
        if (given.FirstOrDefault(entry => entry.Key == DataPath) is { } official)
        {
            foreach (var (key, value) in Defaults)
            {
                entries.TryAdd(key, new ConfigEntry(key, new ConfigNode.Scalar(value), official.Place));
            }
        }

        Parts(entries, problems);
        foreach (var name in Names)
        {
            if (!entries.Remove(name, out var entry) || name is "tune_vision" or "tune_llm" or "use_lora")
            {
                continue;
            }

            if (name == "lora_modules_to_save")
            {
                notices.Add("lora_modules_to_save is ignored: finetune.py ignores it too, and saves what tune_vision says; see additional_target");
            }
            else if (!entry.Value.IsOff && entry.Value.ToString() != "null")
            {
                problems.Add(entry.Problem($"{entry.Value} is refused: {(name == "q_lora" ? "a quantised base is not supported" : "it is not supported")}"));
            }
        }

        return [.. entries.Values];
    }

    private static string Canonical(string key) => ConfigKeys.Find(key)?.Name ?? key;

    private static void Parts(Dictionary<string, ConfigEntry> entries, ICollection<string> problems)
    {
        var lora = Is("use_lora");
        var (vision, language) = (Is("tune_vision"), Is("tune_llm"));
        if (lora is { On: true } && language is { On: true })
        {
            problems.Add(entries["tune_llm"].Problem("true and use_lora exclude each other: LoRA leaves the language model's own weights as they are"));
        }

        if (lora is { } chosen)
        {
            Set("finetuning_type", chosen.On ? "lora" : "full", chosen.Entry);
        }

        if (lora is { On: true } adapted)
        {
            Set("additional_target", vision is { On: false } ? "embed_tokens,resampler" : "embed_tokens,resampler,vpm", adapted.Entry);
            return;
        }

        foreach (var (key, part) in new[] { ("freeze_vision_tower", vision), ("freeze_language_model", language) })
        {
            if (part is { } said)
            {
                Set(key, said.On ? "false" : "true", said.Entry);
                Set("freeze_multi_modal_projector", "false", said.Entry);
            }
        }

        void Set(string key, string value, ConfigEntry because) =>
            entries.TryAdd(key, new ConfigEntry(key, new ConfigNode.Scalar(value), $"{because.Place} ({because.Key})"));

        (bool On, ConfigEntry Entry)? Is(string key)
        {
            if (!entries.TryGetValue(key, out var entry))
            {
                return null;
            }

            var text = entry.Value.ToString();
            if (!entry.Value.IsOff && text.ToLowerInvariant() is not ("true" or "yes" or "on" or "1"))
            {
                problems.Add(entry.Problem($"{text} is not allowed: true or false"));
            }

            return (!entry.Value.IsOff, entry);
        }
    }
}
