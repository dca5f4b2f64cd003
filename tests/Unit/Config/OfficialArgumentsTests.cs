using Fovea.Models.MiniCpmV;
using Fovea.Training.Config;

using LossReduction = Fovea.Data.Packing.LossReduction;

namespace Fovea.Tests.Unit.Config;

/// <summary>The arguments of OpenBMB's finetune.py, as its scripts write them.</summary>
public sealed class OfficialArgumentsTests
{
    // finetune_ds.sh and finetune_lora.sh without what torchrun and DeepSpeed are told.
    private const string Both = """
        --model_name_or_path openbmb/MiniCPM-V-2_6 --llm_type qwen --data_path rows/train.json --eval_data_path rows/eval.json --remove_unused_columns false
        --label_names labels --prediction_loss_only false --do_train --do_eval --model_max_length 2048 --max_slice_nums 9 --max_steps 10000
        --eval_steps 1000 --output_dir output/v26 --logging_dir output/v26 --logging_strategy steps --per_device_train_batch_size 1
        --per_device_eval_batch_size 1 --gradient_accumulation_steps 1 --evaluation_strategy steps --save_strategy steps --save_steps 1000
        --save_total_limit 10 --learning_rate 1e-6 --weight_decay 0.1 --adam_beta2 0.95 --warmup_ratio 0.01 --lr_scheduler_type cosine --logging_steps 1
        --gradient_checkpointing true --report_to tensorboard
        """;

    private static MiniCpmVOptions Own(TrainConfig config) => (MiniCpmVOptions)config.Family.Of(new MiniCpmVFamily());

    [Fact]
    public void The_full_script_s_arguments_mean_what_they_mean_there()
    {
        var config = Load("--bf16 true --bf16_full_eval true --fp16 false --fp16_full_eval false --tune_vision true --tune_llm false");
        Assert.Equal(FinetuningType.Full, config.Tuning.FinetuningType);
        Assert.True(config is { Tuning.FreezeVisionTower: false, Tuning.FreezeMultiModalProjector: false, Tuning.FreezeLanguageModel: true, Model.Bf16: true });
        Assert.Equal(["rows/train.json"], config.Data.Dataset);
        Assert.Equal(["rows/eval.json"], config.Data.EvalDataset);
        Assert.True(config is { Data.CutoffLen: 2048, Schedule.MaxSteps: 10000, Schedule.LearningRate: 1e-6, Optimizer.WeightDecay: 0.1 });
        Assert.True(Own(config) is { MaxSliceNums: 9, LlmType: "qwen" });
        Assert.True(config is { Optimizer.AdamBeta2: 0.95, Schedule.WarmupRatio: 0.01, Schedule.LrSchedulerType: LrSchedulerType.Cosine });
        Assert.Equal(LossReduction.Mean, config.Schedule.LossReduction);
        Assert.Equal(BadSamplePolicy.Resample, config.Data.OnBadSample);
        Assert.DoesNotContain(config.Notices, notice => KeyNeeds.Keys.Contains(notice.Split(' ')[0].TrimEnd(',')));
    }

    [Fact]
    public void The_LoRA_script_s_arguments_mean_what_they_mean_there()
    {
        const string target = @"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)";
        var config = Load($"--bf16 false --fp16 true --tune_vision true --tune_llm false --use_lora true --lora_target_modules {target}");
        Assert.Equal(FinetuningType.Lora, config.Tuning.FinetuningType);
        Assert.Equal([target], config.Tuning.LoraTarget);
        Assert.Equal(["embed_tokens", "resampler", "vpm"], config.Tuning.AdditionalTarget);
        Assert.True(config is { Tuning.LoraRank: 64, Tuning.EffectiveLoraAlpha: 64, Tuning.LoraDropout: 0.05, Model.Fp16: true, Model.Bf16: false });
        Assert.Equal(["embed_tokens", "resampler"], Load("--tune_vision false --tune_llm false --use_lora true").Tuning.AdditionalTarget);
    }

    [Theory]
    [InlineData("zero3", 3, "--bf16 true --bf16_full_eval true --fp16 false --fp16_full_eval false --tune_vision true --tune_llm false")]
    [InlineData("zero2", 2, "--bf16 false --bf16_full_eval false --fp16 true --fp16_full_eval true --tune_vision true --tune_llm false --use_lora true")]
    public void The_whole_command_lines_stand_with_their_DeepSpeed_files(string file, int stage, string more)
    {
        var config = Load($"{more} --deepspeed {TestFiles.Golden($"deepspeed/ds_config_{file}.json")}");
        Assert.Equal(stage, config.Parallel.Sharding.Stage);
        Assert.Equal((2048, 1), (config.Data.CutoffLen, config.Run.PerDeviceEvalBatchSize));
        Assert.Equal((1, 1), (config.Schedule.PerDeviceTrainBatchSize, config.Schedule.GradientAccumulationSteps));
        Assert.Equal(LrSchedulerType.Cosine, config.Schedule.LrSchedulerType);
    }

    [Fact]
    public void Every_argument_that_finetune_py_declares_is_known_at_its_default()
    {
        string[] declared =
        [
            "--cache_dir", "cache", "--optim", "adamw_torch", "--model_max_length", "1024", "--lora_r", "16", "--lora_alpha", "32", "--lora_dropout", "0.1",
            "--lora_target_modules", @"llm\..*\.q_proj", "--lora_weight_path", "", "--lora_bias", "none", "--q_lora", "false", "--lora_modules_to_save", "",
            "--use_lora", "true", "--tune_llm", "false", "--tune_vision", "true", "--llm_type", "qwen", "--max_slice_nums", "4",
        ];
        var config = TrainConfig.Parse(
            string.Empty, "command line", ["--model_name_or_path", "m", "--data_path", "d.json", "--output_dir", "o", .. declared]);
        Assert.Equal((1024, 4), (config.Data.CutoffLen, Own(config).MaxSliceNums));
        Assert.Equal((16, 32.0, 0.1), (config.Tuning.LoraRank, config.Tuning.EffectiveLoraAlpha, config.Tuning.LoraDropout));
        foreach (var (name, value) in new[]
        {
            ("lora_layers_to_transform", "[1]"), ("lora_layers_pattern", "layers"), ("lora_layer_replication", "[[0,1]]"), ("lora_weight_path", "w"),
            ("lora_bias", "all"),
        })
        {
            var error = Assert.Throws<ConfigException>(() => Load($"--tune_llm false --{name} {value}"));
            Assert.Contains(error.Problems, problem => problem.Contains(name, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void What_the_official_trainer_refuses_is_refused()
    {
        var error = Assert.Throws<ConfigException>(() => Load("--use_lora true --tune_llm true --q_lora true"));
        Assert.Contains(error.Problems, p => p.Contains("use_lora exclude each other", StringComparison.Ordinal));
        Assert.Contains(error.Problems, p => p.Contains("q_lora", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_data_path_our_own_defaults_stay()
    {
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: a.json\noutput_dir: o\nuse_lora: true\ntune_llm: false\n", "c.yaml");
        Assert.Equal(8, config.Tuning.LoraRank);
        Assert.Equal(["embed_tokens", "resampler", "vpm"], config.Tuning.AdditionalTarget);
    }

    [Fact]
    public void The_llm_type_of_V_4_comes_with_a_notice() =>
        Assert.Contains(Load("--tune_llm false --llm_type llama").Notices, notice => notice.StartsWith("llm_type llama", StringComparison.Ordinal));

    private static TrainConfig Load(string more) =>
        TrainConfig.Parse(string.Empty, "command line", $"{Both} {more}".Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries));
}
