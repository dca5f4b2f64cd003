using System.Text.RegularExpressions;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Config;

/// <summary>LLaMA-Factory's own SFT examples load as they are, or are refused for exactly the keys that Fovea does not have.</summary>
public sealed partial class LlamaFactoryExamplesTests
{
    private static readonly string Folder = TestFiles.Golden("llamafactory_yaml");

    private static readonly Dictionary<string, string[]> Refused = new()
    {
        ["extras/apollo/llama3_full_sft.yaml"] = ["use_apollo"],
        ["extras/badam/llama3_full_sft.yaml"] = ["use_badam"],
        ["extras/fp8/llama3_fp8_fsdp_sft.yaml"] = ["fp8"],
        ["extras/galore/llama3_full_sft.yaml"] = ["use_galore"],
        ["extras/llama_pro/llama3_freeze_sft.yaml"] = ["use_llama_pro"],
        ["extras/mod/llama3_full_sft.yaml"] = ["mixture_of_depths"],
        ["extras/oft/qwen2_5vl_oft_sft.yaml"] = ["finetuning_type"],
    };

    public static TheoryData<string> Files() =>
    [
        .. Directory.EnumerateFiles(Folder, "*.yaml", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Folder, file))
            .Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_example_loads_or_names_exactly_what_is_missing(string file)
    {
        var use = file.StartsWith("merge_lora", StringComparison.Ordinal) ? ConfigUse.Export : ConfigUse.Train;
        var path = Path.Combine(Folder, file);
        string[] moved = [.. DeepSpeed().Matches(File.ReadAllText(path)).Select(m => $"deepspeed={TestFiles.Golden($"deepspeed/{m.Groups[1].Value}")}")];
        if (!Refused.TryGetValue(file, out var keys))
        {
            var config = TrainConfig.Load(path, moved, use);
            Assert.NotEmpty(config.Model.ModelNameOrPath);
            Assert.Equal(moved.Length > 0 && moved[0].Contains("z3", StringComparison.Ordinal) ? 3 : 0, config.Parallel.Sharding.Stage);
            Assert.Empty(IdleKeys(config));
            return;
        }

        var problems = Assert.Throws<ConfigException>(() => TrainConfig.Load(path, moved, use)).Problems;
        Assert.Equal(keys, problems.Select(problem => problem.Split(": ")[1]).Order(StringComparer.Ordinal));

        // Switched off, the rest of the file is understood.
        var off = keys.Select(key => key == "finetuning_type" ? "finetuning_type=lora" : $"{key}=null");
        var rest = TrainConfig.Load(path, [.. moved, .. off], use);
        Assert.NotEmpty(rest.Model.ModelNameOrPath);
        Assert.Empty(IdleKeys(rest));
    }

    [Fact]
    public void Every_expected_refusal_belongs_to_a_file() => Assert.All(Refused.Keys, file => Assert.True(File.Exists(Path.Combine(Folder, file)), file));

    [Fact]
    public void The_lora_example_means_what_it_means_in_LLaMA_Factory()
    {
        var config = TrainConfig.Load(Path.Combine(Folder, "train_lora/qwen2_5vl_lora_sft.yaml"), ["model_name_or_path=/models/qwen"]);

        Assert.Equal("/models/qwen", config.Model.ModelNameOrPath);
        Assert.Equal(["mllm_demo", "identity", "alpaca_en_demo"], config.Data.Dataset);
        var (data, tuning, optimizer) = (config.Data, config.Tuning, config.Optimizer);
        Assert.Equal((262144, 1024, 2048, 1000), (data.ImageMaxPixels, data.ImageMinPixels, data.CutoffLen, data.MaxSamples!.Value));
        Assert.Equal((FinetuningType.Lora, 8, 16.0, 0.0), (tuning.FinetuningType, tuning.LoraRank, tuning.EffectiveLoraAlpha, tuning.LoraDropout));
        Assert.Equal(["all"], config.Tuning.LoraTarget);
        Assert.True(tuning is { FreezeVisionTower: true, FreezeMultiModalProjector: true, FreezeLanguageModel: false });
        Assert.True(config.Model is { Bf16: true, PureBf16: false });
        Assert.Equal((1, 8), (config.Schedule.PerDeviceTrainBatchSize, config.Schedule.GradientAccumulationSteps));
        Assert.Equal((1e-4, 3.0, -1), (config.Schedule.LearningRate, config.Schedule.NumTrainEpochs, config.Schedule.MaxSteps));
        Assert.Equal((LrSchedulerType.Cosine, 0.1, 21), (config.Schedule.LrSchedulerType, config.Schedule.WarmupRatio, config.Schedule.WarmupStepsIn(204)));
        Assert.Equal(
            (0.9, 0.999, 1e-8, 0.0, 1.0),
            (optimizer.AdamBeta1, optimizer.AdamBeta2, optimizer.AdamEpsilon, optimizer.WeightDecay, optimizer.MaxGradNorm));
        Assert.Equal((10, 500, 42, 42), (config.Run.LoggingSteps.In(204), config.Run.SaveSteps.In(204), config.Run.Seed, config.Run.EffectiveDataSeed));
        Assert.True(config is { Run.PlotLoss: true, Run.OverwriteOutputDir: true, Run.SaveOnlyModel: false, Run.ResumeFromCheckpoint: null });
        Assert.True(config is { Run.UseTensorBoard: false, Memory.UsesRecompute: true });
        Assert.Equal((LossReduction.Token, StepRounding.Ceil), (config.Schedule.LossReduction, config.Schedule.StepRounding));
        Assert.Equal(
            ["video_max_pixels", "trust_remote_code", "overwrite_cache", "preprocessing_num_workers"],
            config.Notices.Select(notice => notice.Split(' ')[0]));
    }

    /// <summary>Keys that say that they need another one.</summary>
    private static IEnumerable<string> IdleKeys(TrainConfig config) =>
        config.Notices.Select(notice => notice.Split(' ')[0].TrimEnd(',')).Where(KeyNeeds.Keys.Contains);

    [GeneratedRegex(@"^deepspeed: examples/deepspeed/(\S+)", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex DeepSpeed();
}
