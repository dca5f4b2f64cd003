using System.Globalization;
using System.Text.Json;
using Fovea.Training.Config;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>A run of the published training scripts (goldens train_*.json), and the configuration that repeats it.</summary>
internal static class PublishedRun
{
    /// <summary>Loss, norm and rate of every update: micro-batches since the last one together.</summary>
    public static (List<(double Loss, double Norm)> Updates, List<double> Rates) Updates(JsonElement golden)
    {
        var updates = new List<(double, double)>();
        var rates = new List<double>();
        var loss = 0.0;
        foreach (var micro in golden.GetProperty("log").EnumerateArray())
        {
            loss += micro.GetProperty("loss").GetDouble();
            if (micro.TryGetProperty("grad_norm", out var norm) || micro.TryGetProperty("grad_norm_epoch_end_flush", out norm))
            {
                updates.Add((loss, norm.GetDouble()));
                rates.Add(micro.GetProperty("lr").GetDouble());
                loss = 0;
            }
        }

        return (updates, rates);
    }

    /// <summary>The same run for Fovea.</summary>
    public static TrainConfig Config(MiniMindFolder folder, JsonElement golden, string output, params string[] overrides)
    {
        var arguments = Arguments(golden);
        var data = golden.TryGetProperty("data", out var name) ? name.GetString()! : Path.GetFileName(arguments["--data_path"]);
        var isPretrain = golden.GetProperty("script").GetString()!.Contains("pretrain", StringComparison.Ordinal);
        var file = folder.IsA ? folder.Golden($"data/{data}") : folder.Golden($"data/{Path.GetFileNameWithoutExtension(data)}.rows.json");
        var freezing = !folder.IsA ? $"finetuning_type: full\nfreeze_llm: {arguments["--freeze_llm"]}"
            : isPretrain ? "finetuning_type: freeze\nfreeze_trainable_layers: 1\nfreeze_extra_modules: vision_proj\nfreeze_multi_modal_projector: false"
            : "finetuning_type: full\nfreeze_llm: 0";
        var yaml = $"""
            model_name_or_path: {folder.Path}
            stage: {(isPretrain ? "pretrain" : "sft")}
            {freezing}
            data_path: {file}
            images_path: {folder.Data("images")}
            max_seq_len: {arguments["--max_seq_len"]}
            label_mask: original
            empty_think_ratio: {(golden.TryGetProperty("empty_think", out var think) && think.GetString() == "kept" ? "1" : "0")}
            add_system_ratio: 0
            moe_aux: original
            output_dir: {output}
            overwrite_output_dir: true
            per_device_train_batch_size: {arguments["--batch_size"]}
            gradient_accumulation_steps: {arguments["--accumulation_steps"]}
            loss_reduction: accumulate
            step_rounding: {(folder.IsA ? "carry" : "ceil")}
            disable_shuffling: {(folder.IsA ? "true" : "false")}
            learning_rate: {arguments["--learning_rate"]}
            lr_scheduler_type: {(folder.IsA ? "cosine_plus_tenth" : "cosine_to_tenth")}
            num_train_epochs: {arguments["--epochs"]}
            weight_decay: 0.01
            decay_norms: true
            logging_steps: 1
            save_strategy: no
            vision_cache_dir: none
            """;
        return TrainConfig.Parse(yaml, "test", [$"device={TestDevice.Device}", .. overrides]);
    }

    public static int Epochs(JsonElement golden) => int.Parse(Arguments(golden)["--epochs"], CultureInfo.InvariantCulture);

    private static Dictionary<string, string> Arguments(JsonElement golden) =>
        golden.GetProperty("argv").EnumerateArray().Select(v => v.GetString()!).Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);
}
