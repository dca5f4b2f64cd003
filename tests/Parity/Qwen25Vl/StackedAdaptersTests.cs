using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// Several adapters in <c>adapter_name_or_path</c>: all but the last are merged into the base in memory and training goes on with the last, or all are
/// merged and a new one begins. Merging by hand and then training gives the same, to the bit.
/// </summary>
public sealed class StackedAdaptersTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string First = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-stack-").FullName;

    [Theory]
    [InlineData("lora_rank=4")]
    [InlineData("use_dora=true")]
    [InlineData("init_weights=pissa", "lora_target=q_proj,up_proj")]
    public void Training_over_adapters_is_training_over_what_merging_them_gives(params string[] second)
    {
        // The second adapter learns over the first.
        Train("second", Base, [.. second, "create_new_adapter=true", .. Over(First)]);
        var last = Path.Combine(folder, "second");
        var merged = Merge("first merged", First);
        Same("on", "on merged", Train("on", Base, Over(First, last)), Train("on merged", merged, Over(last)));
        var both = Merge("both merged", First, last);
        string[] anew = ["create_new_adapter=true", "lora_rank=2"];
        Same("new", "new merged", Train("new", Base, [.. anew, .. Over(First, last)]), Train("new merged", both, anew[1..]));

        Assert.Equal(
            [AdapterBase.IdentityOf(First), AdapterBase.IdentityOf(last)], AdapterBase.Read(Path.Combine(folder, "new"))!.Below);

        // What went on is used over the first alone.
        var result = Merge("result", First, Path.Combine(folder, "on"));
        var byHand = Merge("by hand", merged, [Path.Combine(folder, "on merged")]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(result, "model.safetensors")), File.ReadAllBytes(Path.Combine(byHand, "model.safetensors")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_resumed_run_over_adapters_ends_with_the_same_bytes(bool anew)
    {
        Train("second", Base, ["create_new_adapter=true", "init_weights=olora", .. Over(First)]);
        string[] keys = [.. Over(First, Path.Combine(folder, "second")), $"create_new_adapter={anew}", "save_strategy=steps", "save_steps=1"];
        Train("whole", Base, keys);
        Train("parts", Base, [.. keys, "max_steps=1"]);
        Train("parts", Base, [.. keys, "resume_from_checkpoint=true"]);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(folder, "whole", PeftAdapter.WeightsName)),
            File.ReadAllBytes(Path.Combine(folder, "parts", PeftAdapter.WeightsName)));
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static string[] Over(params string[] adapters) => [$"adapter_name_or_path={string.Join(',', adapters)}"];

    private void Same(string one, string other, List<double> losses, List<double> others)
    {
        Assert.Equal(2, losses.Count);
        Assert.Equal(others, losses);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(folder, one, PeftAdapter.WeightsName)), File.ReadAllBytes(Path.Combine(folder, other, PeftAdapter.WeightsName)));
    }

    private string Merge(string name, params string[] adapters) => Merge(name, Base, adapters);

    private string Merge(string name, string model, string[] adapters)
    {
        var target = Path.Combine(folder, name);
        new ModelExport { Model = model, Adapters = adapters, Target = target }.Run(_ => { });
        return target;
    }

    private List<double> Train(string name, string model, string[] keys)
    {
        var output = Path.Combine(folder, name);
        var yaml = $"""
            model_name_or_path: {model}
            dataset: tiny_shapes
            dataset_dir: {TestFiles.Golden("qwen2_5_vl_tiny/data")}
            template: qwen2_vl
            output_dir: {output}
            max_samples: 8
            max_steps: 2
            per_device_train_batch_size: 4
            gradient_accumulation_steps: 1
            learning_rate: 1e-3
            lr_scheduler_type: constant
            logging_steps: 1
            save_strategy: "no"
            vision_cache_dir: none
            """;
        SupervisedFineTune.Run(TrainConfig.Parse(yaml, "stack", keys), []);
        return
        [
            .. TrainerState.Load(Path.Combine(output, TrainerState.FileName)).LogHistory.Where(entry => entry.ContainsKey("loss"))
                .Select(entry => Convert.ToDouble(entry["loss"])),
        ];
    }
}
