using System.Runtime.InteropServices;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.MiniCpmV;

namespace Fovea.Tests.Distributed;

/// <summary>OpenBMB's finetune_ds.sh and finetune_lora.sh with the program's name changed: two ranks, the scripts' arguments, their DeepSpeed files.</summary>
[Trait("Category", "Long")]
public sealed class OfficialScriptsTests : NativeTest
{
    private static readonly string Model = TestFiles.Golden("minicpm_v26/model");
    private static readonly string Data = TestFiles.Golden("minicpm_v26/data");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-scripts-").FullName;

    [Fact]
    public void The_LoRA_script_s_adapter_chats_and_is_merged()
    {
        var output = Train(
            "lora", "zero2", "--fp16", "true", "--bf16", "false", "--fp16_full_eval", "true", "--bf16_full_eval", "false", "--use_lora", "true",
            "--lora_target_modules", @"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)");

        string[] image = ["--image", Path.Combine(Data, "images", "small.png"), "--image", Path.Combine(Data, "images", "wide.png")];
        var (code, answer, trouble) = FoveaProcess.Run(
            ["chat", "--adapter", output, .. image, "--prompt", "What differs?", "--greedy", "--max-new-tokens", "3"]);
        Assert.True(code == 0, trouble);
        Assert.NotEmpty(answer.Trim());

        var merged = Path.Combine(folder, "merged");
        (code, _, trouble) = FoveaProcess.Run("export", "--model", Model, "--adapter", output, "--out", merged);
        Assert.True(code == 0, trouble);
        Loads(merged);
    }

    [Fact]
    public void The_full_script_s_model_loads_back()
    {
        var output = Train(
            "full", "zero3", "--bf16", "true", "--fp16", "false", "--bf16_full_eval", "true", "--fp16_full_eval", "false", "--max_slice_nums", "9");
        Loads(output);
        using var before = Checkpoint.Open(Model);
        using var after = Checkpoint.Open(output);
        using var scope = TensorScope.Open("test");

        // What does not learn is rounded to bf16, as the original loads it.
        bool Same(string name) => MemoryMarshal.Cast<byte, float>(after[name].Span).SequenceEqual(
            CreateOps.On<float>(Device.Cpu, MemoryMarshal.Cast<byte, float>(before[name].Span)).To(DType.BF16).To(DType.F32).ToArray<float>());
        Assert.True(Same("llm.lm_head.weight")); // tune_llm false
        Assert.False(Same("resampler.proj"));
        Assert.False(Same("vpm.encoder.layers.0.mlp.fc1.weight"));
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static void Loads(string folder)
    {
        using var model = ModelSource.Open(folder).Load(new ModelOptions());
        Assert.IsType<MiniCpmVModel>(model);
    }

    private string Train(string name, string deepSpeed, params string[] more)
    {
        var output = Path.Combine(folder, name);
        string[] arguments =
        [
            "train", "--model_name_or_path", Model, "--llm_type", "qwen", "--data_path", $"{Data}/train.json", "--eval_data_path", $"{Data}/train.json",
            "--media_dir", $"{Data}/images", "--remove_unused_columns", "false", "--label_names", "labels", "--prediction_loss_only", "false", "--do_train",
            "--do_eval", "--tune_vision", "true", "--tune_llm", "false", "--model_max_length", "2048", "--max_steps", "2", "--eval_steps", "2",
            "--output_dir", output, "--logging_dir", output, "--logging_strategy", "steps", "--per_device_train_batch_size", "1",
            "--per_device_eval_batch_size", "1", "--gradient_accumulation_steps", "1", "--evaluation_strategy", "steps", "--save_strategy", "steps",
            "--save_steps", "1000", "--save_total_limit", "10", "--learning_rate", "1e-3", "--weight_decay", "0.1", "--adam_beta2", "0.95",
            "--warmup_ratio", "0.01", "--lr_scheduler_type", "cosine", "--logging_steps", "1", "--gradient_checkpointing", "true", "--deepspeed",
            TestFiles.Golden($"deepspeed/ds_config_{deepSpeed}.json"), "--report_to", "tensorboard", "--use_cpu", "true", .. more,
        ];
        using var process = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", "2")), arguments);
        Assert.True(process.Wait() == 0, $"{process.Output}\n{process.Errors}");
        Assert.Contains("\"eval_loss\"", File.ReadAllText(Path.Combine(output, "trainer_state.json")), StringComparison.Ordinal);
        return output;
    }
}
