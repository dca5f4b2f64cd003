using System.Text.Json;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>
/// The recipe against the published training scripts, run as they are (goldens train_*.json): every loss and gradient norm of pretraining and fine-tuning,
/// with accumulation, with what is left over at an epoch's end, with several images.
/// </summary>
public sealed class TrainingTests : NativeTest
{
    private readonly string output = Directory.CreateTempSubdirectory("fovea-minimind-run").FullName;
    private MiniMindFolder? folder;

    public static TheoryData<string, string, string> Runs => new()
    {
        { "a", "dense", "pretrain" }, { "a", "dense", "sft_acc1" }, { "a", "dense", "sft_acc2" }, { "a", "dense", "sft_multi" },
        { "a", "moe", "pretrain" }, { "a", "moe", "sft_acc1" }, { "a", "moe", "sft_acc2" },
        { "c", "dense", "pretrain" }, { "c", "dense", "sft_freeze1" }, { "c", "dense", "sft_freeze0" }, { "c", "dense", "sft_freeze0_acc2" },
        { "c", "dense", "sft_multi" },
        { "c", "moe", "pretrain" }, { "c", "moe", "sft_freeze1" }, { "c", "moe", "sft_freeze0" }, { "c", "moe", "sft_freeze0_acc2" },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void Every_loss_and_gradient_norm_of_a_published_run_agrees(string generation, string kind, string run)
    {
        folder = new MiniMindFolder(generation, kind);
        var golden = folder.Json($"{kind}/train_{run}.json");
        var steps = new Steps();
        SupervisedFineTune.Run(Config(golden), [steps]);
        var (expected, rates) = Updates(golden);
        Assert.Equal(expected.Count, steps.Seen.Count);

        // What rounds to half precision (experts of generation A) may fall to either side, and training carries that on.
        var rounds = generation == "a" && kind == "moe";
        for (var i = 0; i < expected.Count; i++)
        {
            var (loss, norm) = expected[i];
            Assert.Equal(rates[i], steps.Seen[i].LearningRate, 1e-12);
            var seen = steps.Seen[i];
            Assert.True(Math.Abs(loss - seen.Loss) < TestDevice.Tolerance(rounds ? 5e-4 : 1e-4), $"update {i + 1}: loss {seen.Loss}, not {loss}");
            var relative = Math.Abs(norm - seen.GradNorm) / norm;
            Assert.True(relative < TestDevice.Tolerance(rounds ? 5e-3 : 1e-3), $"update {i + 1}: norm {seen.GradNorm}, not {norm}");
        }
    }

    protected override void Cleanup()
    {
        folder?.Dispose();
        Directory.Delete(output, recursive: true);
    }

    /// <summary>Loss, norm and rate of every update: micro-batches since the last one together.</summary>
    private static (List<(double Loss, double Norm)> Updates, List<double> Rates) Updates(JsonElement golden)
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

    private TrainConfig Config(JsonElement golden)
    {
        var arguments = golden.GetProperty("argv").EnumerateArray().Select(v => v.GetString()!).Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);
        var data = golden.TryGetProperty("data", out var name) ? name.GetString()! : Path.GetFileName(arguments["--data_path"]);
        var isPretrain = golden.GetProperty("script").GetString()!.Contains("pretrain", StringComparison.Ordinal);
        var file = folder!.IsA ? folder.Golden($"data/{data}") : folder.Golden($"data/{Path.GetFileNameWithoutExtension(data)}.rows.json");
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
        return TrainConfig.Parse(yaml, "test", [$"device={TestDevice.Device}"]);
    }

    private sealed class Steps : IEventSink
    {
        public List<StepLogged> Seen { get; } = [];

        public void Write(RunEvent e)
        {
            if (e is StepLogged step)
            {
                Seen.Add(step);
            }
        }
    }
}
