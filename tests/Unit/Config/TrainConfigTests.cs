using System.Reflection;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Keys;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Config;

public sealed class TrainConfigTests
{
    private const string Minimal = "model_name_or_path: m\ndataset: d\noutput_dir: o\n";

    [Fact]
    public void Every_problem_is_reported_at_once_with_its_line()
    {
        var problems = Problems(
            """
            model_name_or_path: m
            lora_rank: 0
            learning_rate: fast
            lr_scheduler_type: cosinus
            lora_dropout: 1.0
            bf16: maybe
            per_device_train_batch_size: 1.5
            logging_steps: 2.5
            lora_rnak: 4
            use_llama_pro: true
            dataset: d
            """);

        Assert.Equal(
            [
                "c.yaml line 2: lora_rank: 0 is not allowed: it must be a whole number, at least 1 and at most 65536",
                "c.yaml line 3: learning_rate: fast is not allowed: it must be a number, at least 0",
                "c.yaml line 4: lr_scheduler_type: cosinus is not allowed: it must be one of linear, cosine, constant, constant_with_warmup, "
                    + "cosine_with_min_lr, cosine_plus_tenth, cosine_to_tenth, polynomial, inverse_sqrt, cosine_with_restarts, warmup_stable_decay, "
                    + "cosine_warmup_with_min_lr",
                "c.yaml line 5: lora_dropout: 1.0 is not allowed: it must be a number, at least 0 and less than 1",
                "c.yaml line 6: bf16: maybe is not allowed: it must be true or false",
                "c.yaml line 7: per_device_train_batch_size: 1.5 is not allowed: it must be a whole number, at least 1",
                "c.yaml line 8: logging_steps: 2.5 is not allowed: it must be a whole number of at least 1, "
                    + "or a part of the run more than 0 and less than 1",
                "c.yaml line 9: lora_rnak: is not a key that Fovea knows; did you mean lora_rank?",
            ],
            problems.Take(8));
        Assert.StartsWith("c.yaml line 10: use_llama_pro: true is refused: expanded blocks are not supported", problems[8]);
        Assert.StartsWith("output_dir is missing", problems[9]);
        Assert.Equal(10, problems.Count);
    }

    [Theory]
    [InlineData("1.0e-4", 1e-4)]
    [InlineData("1e-4", 1e-4)]
    [InlineData("'0.0001'", 1e-4)]
    [InlineData("5", 5.0)]
    public void Floats_are_read_as_LLaMA_Factory_writes_them(string text, double value) =>
        Assert.Equal(value, Load($"learning_rate: {text}").Schedule.LearningRate);

    [Theory]
    [InlineData("q_proj,v_proj", new[] { "q_proj", "v_proj" })]
    [InlineData("q_proj, v_proj", new[] { "q_proj", "v_proj" })]
    [InlineData("[q_proj, v_proj]", new[] { "q_proj", "v_proj" })]
    [InlineData("model\\.layers\\.\\d{1,2}\\.self_attn\\.(q|v)_proj", new[] { "model\\.layers\\.\\d{1,2}\\.self_attn\\.(q|v)_proj" })]
    public void Lists_come_with_commas_as_a_list_or_as_one_regular_expression(string text, string[] value) =>
        Assert.Equal(value, Load($"lora_target: {text}").Tuning.LoraTarget);

    [Fact]
    public void Null_leaves_the_default()
    {
        var config = Load("lora_rank: null\nmax_samples: ~\nresume_from_checkpoint:");

        Assert.Equal((8, null, null), (config.Tuning.LoraRank, config.Data.MaxSamples, config.Run.ResumeFromCheckpoint));
    }

    [Fact]
    public void Overrides_win_over_the_file_in_each_of_their_forms()
    {
        var config = TrainConfig.Parse(
            Minimal + "evaluation_strategy: no\nval_size: 0.1\n",
            "c.yaml",
            ["lora_rank=4", "--learning-rate", "2e-4", "--max_steps=-1", "--eval_strategy", "steps", "lora_rank=16", "lora_target=[q_proj]", "--plot_loss"]);

        Assert.Equal((16, 2e-4, -1), (config.Tuning.LoraRank, config.Schedule.LearningRate, config.Schedule.MaxSteps));
        Assert.Equal((IntervalStrategy.Steps, true), (config.Run.EvalStrategy, config.Run.PlotLoss));
        Assert.Equal(["q_proj"], config.Tuning.LoraTarget);
    }

    [Fact]
    public void Full_determinism_is_honoured_as_deterministic()
    {
        Assert.True(TrainConfig.Parse(Minimal + "full_determinism: true\n", "c.yaml").Model.Deterministic);
        Assert.False(TrainConfig.Parse(Minimal, "c.yaml").Model.Deterministic);
    }

    [Fact]
    public void A_stray_word_on_the_command_line_is_an_error() =>
        Assert.Contains(Problems(Minimal, "cosine"), problem => problem == "command line: 'cosine' is neither 'key=value' nor '--key value'");

    [Fact]
    public void Switched_off_keys_of_missing_features_pass_without_a_word()
    {
        var config = Load(
            "quantization_bit: null\nuse_llama_pro: false\nuse_galore: false\nstage: sft\npacking: no\nfp16: false\ndeepspeed: null\ntrust_remote_code: false");

        Assert.Empty(config.Notices);
    }

    [Theory]
    [InlineData("stage: dpo", "stage: dpo is not allowed")]
    [InlineData("fp16: true\nbf16: true", "keep one of them")]
    [InlineData("report_to: wandb", "use tensorboard")]
    [InlineData("optim: lion_8bit", "optim: lion_8bit is not allowed: states in 8 bits are AdamW's alone")]
    [InlineData("loss_scale: last_rund", "loss_scale: 'last_rund' is not known; it must be default, last_round, all")]
    [InlineData("optim: galore_adamw", "train fewer weights with LoRA")]
    [InlineData("adafactor: true", "write that")]
    [InlineData("quantization_bit: 8", "in 4 bits")]
    [InlineData("quantization_method: hqq", "quantization_method: hqq is not allowed")]
    [InlineData("packing: true", "packs micro-batches by itself")]
    public void Keys_without_their_feature_are_refused_with_a_way_out(string line, string part) =>
        Assert.Contains(Problems(Minimal + line), problem => problem.Contains(part, StringComparison.Ordinal));

    [Theory]
    [InlineData("val_size: 0.1\neval_dataset: e", "val_size and eval_dataset exclude each other")]
    [InlineData("eval_strategy: steps", "need samples")]
    [InlineData("mask_history: true\ntrain_on_prompt: true", "exclude each other")]
    [InlineData("image_max_pixels: 100", "less than image_min_pixels: 1024")]
    [InlineData("finetuning_type: full\nadapter_name_or_path: a", "only for finetuning_type: lora")]
    [InlineData("freeze_language_model: true", "nothing to train")]
    [InlineData("quantization_bit: 4\nfinetuning_type: full", "use finetuning_type: lora")]
    [InlineData("export_quantization_bit: 8", "in 4 as bitsandbytes")]
    [InlineData("export_quantization_dataset: data/c4_demo.jsonl", "GPTQ is not written")]
    [InlineData("quantization_bit: 4\nadapter_name_or_path: [a, b]", "takes one adapter")]
    [InlineData("lr_scheduler_type: cosine_with_min_lr", "min_lr_rate")]
    [InlineData("lr_scheduler_type: cosine_warmup_with_min_lr", "min_lr_rate")]
    [InlineData("lr_scheduler_type: polynomial\nlr_scheduler_kwargs: {num_cycles: 2}", "lr_scheduler_kwargs.num_cycles is not read by")]
    [InlineData("lr_scheduler_type: polynomial\nlearning_rate: 1.0e-8", "lr_scheduler_kwargs.lr_end (1E-07) must be")]
    [InlineData("lr_scheduler_type: polynomial\nlr_scheduler_kwargs: {power: steep}", "lr_scheduler_kwargs.power must be a number")]
    [InlineData("lr_scheduler_type: warmup_stable_decay\nlr_scheduler_kwargs: {decay_type: steep}", "decay_type must be one of linear, cosine, 1-sqrt")]
    [InlineData("lr_scheduler_type: warmup_stable_decay\nlr_scheduler_kwargs: {num_decay_steps: 1.5}", "num_decay_steps must be a whole number")]
    [InlineData("lr_scheduler_kwargs: {min_lrr: 1.0e-6}", "lr_scheduler_kwargs.min_lrr is not known")]
    [InlineData("optim_args: momentum=0.9", "optim_args.momentum is not read by optim: adamw_torch, which reads none")]
    [InlineData("optim: sgd\noptim_args: weight_decay=0.1", "use weight_decay itself")]
    [InlineData("optim: sgd\noptim_args: nesterov=true", "optim_args.nesterov needs a momentum")]
    [InlineData("optim: sgd\noptim_args: momentum", "it must be a map from names to numbers or words, or name=value")]
    [InlineData("optim: lion\nuse_muon: true", "use_muon: true contradicts optim: lion")]
    [InlineData("recompute: true\ndisable_gradient_checkpointing: true", "contradicts")]
    [InlineData("do_train: false", "nothing to do")]
    public void Keys_that_contradict_each_other_are_reported(string lines, string part) =>
        Assert.Contains(Problems(Minimal + lines), problem => problem.Contains(part, StringComparison.Ordinal));

    [Theory]
    [InlineData("optim: lion_32bit", OptimizerKind.Lion)]
    [InlineData("optim: paged_lion_32bit", OptimizerKind.Lion)]
    [InlineData("optim: lion", OptimizerKind.Lion)]
    [InlineData("optim: paged_adamw_32bit", OptimizerKind.AdamwTorch)]
    [InlineData("optim: adamw_8bit", OptimizerKind.Adamw8bit)]
    [InlineData("optim: adamw_bnb_8bit", OptimizerKind.Adamw8bit)]
    [InlineData("optim: paged_adamw_8bit", OptimizerKind.Adamw8bit)]
    [InlineData("optim: adafactor", OptimizerKind.Adafactor)]
    [InlineData("use_muon: true", OptimizerKind.Muon)]
    [InlineData("optim: muon", OptimizerKind.Muon)]
    public void Names_of_optimizers_that_do_the_same_are_taken(string line, OptimizerKind kind) => Assert.Equal(kind, Load(line).Optimizer.Kind);

    [Fact]
    public void An_optimizer_that_would_be_paged_says_that_it_is_not()
    {
        Assert.Contains(Load("optim: paged_adamw_8bit").Notices, notice => notice.StartsWith("optim: paged_adamw_8bit: ", StringComparison.Ordinal));
        Assert.DoesNotContain(Load("optim: adamw_8bit").Notices, notice => notice.StartsWith("optim", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("buffer_size: 64", "buffer_size is ignored: it is only read with streaming: true")]
    [InlineData("pissa_iter: 4", "pissa_iter is ignored: it is only read with pissa_init: true")]
    [InlineData(
        "quantization_type: fp4\ndouble_quantization: false",
        "quantization_type, double_quantization are ignored: they are only read with quantization_bit: 4 or export_quantization_bit: 4")]
    [InlineData("eval_on_each_dataset: true\nval_size: 2", "eval_on_each_dataset is ignored: it is only read with eval_dataset")]
    [InlineData("mix_strategy: interleave_over", "mix_strategy is ignored: it is only read with several datasets")]
    [InlineData(
        "mix_strategy: interleave_over\ninterleave_probs: [1.0]",
        "mix_strategy is ignored: it is only read with several datasets",
        "interleave_probs is ignored: it is only read with several datasets")]
    [InlineData("finetuning_type: full\nlora_r: 4", "lora_r is ignored: it is only read with finetuning_type: lora")]
    [InlineData("freeze_trainable_layers: 3", "freeze_trainable_layers is ignored: it is only read with finetuning_type: freeze")]
    [InlineData("create_new_adapter: true", "create_new_adapter is ignored: it is only read with adapter_name_or_path")]
    [InlineData("optim: sgd\nadam_beta1: 0.8", "adam_beta1 is ignored: it is only read with AdamW, Lion and Muon, ")]
    [InlineData("optim: lion\nadam_epsilon: 1e-6", "adam_epsilon is ignored: it is only read with AdamW and Muon, ")]
    [InlineData("decay_norms: true", "decay_norms is ignored: it is only read with weight_decay")]
    [InlineData("warmup_ratio: 0.1\nwarmup_steps: 5", "warmup_ratio is ignored: it is only read without warmup_steps")]
    [InlineData("warmup_steps: 5\nlr_scheduler_type: constant", "warmup_steps is ignored: it is only read with a schedule that warms up")]
    [InlineData("lr_scheduler_type: cosine\nlr_scheduler_kwargs: {min_lr: 1.0e-6}", "lr_scheduler_kwargs.min_lr is ignored: it is only read with ")]
    [InlineData("lr_scheduler_kwargs: {num_cycles: 1}", "lr_scheduler_kwargs.num_cycles is ignored: it is only read with lr_scheduler_type: cosine ")]
    [InlineData("save_strategy: epoch\nsave_steps: 5", "save_steps is ignored: it is only read with save_strategy: steps")]
    [InlineData(
        "eval_steps: 5\nper_device_eval_batch_size: 1",
        "eval_steps is ignored: it is only read with eval_strategy: steps",
        "per_device_eval_batch_size is ignored: it is only read with eval_strategy, do_eval or do_predict")]
    [InlineData("eval_generate_samples: 5", "eval_generate_samples is ignored: it is only read with eval_strategy or do_eval")]
    [InlineData("metric_for_best_model: loss", "metric_for_best_model is ignored: it is only read with eval_strategy: steps or epoch")]
    [InlineData("greater_is_better: true", "greater_is_better is ignored: it is only read with metric_for_best_model, ")]
    [InlineData("logging_dir: logs", "logging_dir is ignored: it is only read with report_to: tensorboard")]
    [InlineData("cache_vision_features: false\nvision_cache_dir: c", "vision_cache_dir is ignored: it is only read where cache_vision_features is not")]
    [InlineData("vision_cache_dir: none\nvision_cache_disk: 1GB", "vision_cache_disk is ignored: it is only read where vision_cache_dir is not none")]
    [InlineData("do_sample: false\ntemperature: 0.5\ntop_p: 0.9", "temperature, top_p are ignored: they are only read with do_sample: true")]
    [InlineData("hub_model_id: me/mine", "hub_model_id is ignored: it is only read with push_to_hub: true")]
    public void A_key_without_the_one_that_it_needs_says_which(string lines, params string[] notices)
    {
        var told = Load(lines).Notices;
        Assert.Equal(notices.Length, told.Count);
        Assert.All(notices.Zip(told), pair => Assert.StartsWith(pair.First, pair.Second));
    }

    [Theory]
    [InlineData("streaming: true\nmax_steps: 5\nbuffer_size: 64")]
    [InlineData("pissa_init: true\npissa_iter: 4")]
    [InlineData("quantization_bit: 4\nquantization_type: fp4\ndouble_quantization: false")]
    [InlineData("export_quantization_bit: 4\nquantization_type: fp4\ndouble_quantization: false")]
    [InlineData("eval_on_each_dataset: true\neval_dataset: e\neval_strategy: steps\neval_steps: 5")]
    [InlineData("eval_on_each_dataset: false\neval_generate_samples: null\nwarmup_steps: 0\ndecay_norms: no")]
    [InlineData("eval_dataset: [a, b]\nmix_strategy: interleave_over")]
    [InlineData("mix_strategy: concat")]
    [InlineData("adapter_name_or_path: a\ncreate_new_adapter: true\nlora_rank: 4")]
    [InlineData("adapter_name_or_path: a\nlora_dropout: 0.1")]
    [InlineData("lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 1.0e-6, num_cycles: 1}\nwarmup_steps: 5")]
    [InlineData("lr_scheduler_type: cosine\nlr_scheduler_kwargs: {num_cycles: 1}")]
    [InlineData("optim: lion\nadam_beta1: 0.8\nadam_beta2: 0.9")]
    [InlineData("do_predict: true\npredict_with_generate: true\neval_dataset: e\nper_device_eval_batch_size: 1\ntemperature: 0.5")]
    public void A_key_beside_the_one_that_it_needs_says_nothing(string lines) => Assert.Empty(Load(lines).Notices);

    [Fact]
    public void Keys_for_runs_are_no_matter_where_there_is_none()
    {
        const string lines = Minimal + "eval_steps: 5\nbuffer_size: 64\ndouble_quantization: false\n";
        Assert.Equal(3, TrainConfig.Parse(lines, "c.yaml", use: ConfigUse.Data).Notices.Count);
        Assert.StartsWith("double_quantization ", Assert.Single(TrainConfig.Parse(lines, "c.yaml", use: ConfigUse.Any).Notices));
        Assert.Empty(TrainConfig.Parse(lines, "c.yaml", ["export_quantization_bit=4"], ConfigUse.Any).Notices);
    }

    [Fact]
    public void Every_key_that_needs_another_is_an_honoured_one() => Assert.All(KeyNeeds.Keys, key => Assert.Equal(key, ConfigKeys.Find(key)?.Name));

    [Fact]
    public void Broken_files_name_the_place()
    {
        Assert.StartsWith("c.yaml line 2", Assert.Throws<ConfigException>(() => TrainConfig.Parse("a: 1\nb: ]", "c.yaml")).Problems[0]);
        Assert.StartsWith("c.yaml line 2", Assert.Throws<ConfigException>(() => TrainConfig.Parse("seed: 1\nseed: 2", "c.yaml")).Problems[0]);
        Assert.Contains("no-such.yaml", Assert.Throws<ConfigException>(() => TrainConfig.Load("no-such.yaml")).Message);
        Assert.Contains("one list of lines", Assert.Throws<ConfigException>(() => TrainConfig.Parse("- a", "c.yaml")).Message);
    }

    [Fact]
    public void Json_is_read_like_yaml()
    {
        var path = Path.Combine(Path.GetTempPath(), $"fovea-{Guid.NewGuid():n}.json");
        File.WriteAllText(
            path,
            """
            {"model_name_or_path": "m", "dataset": ["a", "b"], "output_dir": "o", "learning_rate": 1e-4, "bf16": true,
             "lr_scheduler_kwargs": {"num_cycles": 1}}
            """);
        try
        {
            var config = TrainConfig.Load(path);
            Assert.Equal((1e-4, true, 1.0), (config.Schedule.LearningRate, config.Model.Bf16, config.Schedule.LrSchedulerKwargs["num_cycles"]));
            Assert.Equal(["a", "b"], config.Data.Dataset);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Our_own_keys_take_auto_and_sizes()
    {
        var config = Load(
            """
            micro_batch_tokens: auto
            memory_budget: 20GiB
            cache_vision_features: false
            recompute: false
            loss_reduction: mean
            on_bad_sample: skip
            step_rounding: floor
            """);

        Assert.Null(config.Memory.MicroBatchTokens);
        Assert.Equal(20L << 30, config.Memory.MemoryBudget!.Value.Bytes);
        Assert.Equal((Toggle.Off, false, LossReduction.Mean), (config.Memory.CacheVisionFeatures, config.Memory.UsesRecompute, config.Schedule.LossReduction));
        Assert.Equal((BadSamplePolicy.Skip, StepRounding.Floor), (config.Data.OnBadSample, config.Schedule.StepRounding));
        Assert.Equal(4096, Load("micro_batch_tokens: 4096").Memory.MicroBatchTokens);
    }

    [Fact]
    public void Step_counts_below_one_are_parts_of_the_run()
    {
        var config = Load("logging_steps: 0.1\nwarmup_steps: 0.05\nsave_steps: 7");

        Assert.Equal((21, 11, 7), (config.Run.LoggingSteps.In(204), config.Schedule.WarmupStepsIn(204), config.Run.SaveSteps.In(204)));
        Assert.Equal(12, Load("warmup_steps: 12\nwarmup_ratio: 0.5").Schedule.WarmupStepsIn(204));
    }

    [Theory]
    [InlineData("true", "true")]
    [InlineData("false", null)]
    [InlineData("out/checkpoint-5", "out/checkpoint-5")]
    public void Resuming_takes_a_folder_or_a_switch(string text, string? value) =>
        Assert.Equal(value, Load($"resume_from_checkpoint: {text}").Run.ResumeFromCheckpoint);

    [Theory]
    [InlineData(65536, 32768, 1)]
    [InlineData(65536, 16384, 2)]
    [InlineData(2_147_483_647, 2_147_483_647, 1_000_000)]
    public void More_samples_a_step_than_can_be_counted_name_the_keys(int batch, int accumulation, int ranks)
    {
        var config = Load($"per_device_train_batch_size: {batch}\ngradient_accumulation_steps: {accumulation}");
        var problem = Assert.Throws<ConfigException>(() => config.CheckRanks(ranks)).Message;
        Assert.StartsWith($"per_device_train_batch_size: {batch} x gradient_accumulation_steps: {accumulation} x {ranks} processes is ", problem);
        Assert.Contains("of which there can be 2,147,483,647; lower one of the two keys", problem);
        Assert.Equal(2_147_483_647, Load("per_device_train_batch_size: 2147483647").Schedule.SamplesPerStep(1));
    }

    [Fact]
    public void No_key_stands_in_two_tables()
    {
        var known = ConfigKeys.Known.ToList();

        Assert.Equal(known.Count, known.Distinct().Count());
        Assert.All(known, key => Assert.Equal(key.ToLowerInvariant(), key));
    }

    [Fact]
    public void The_written_form_loads_back_to_the_same_configuration()
    {
        var config = Load(
            """
            lora_target: q_proj,v_proj
            micro_batch_tokens: 512
            val_size: 0.25
            eval_strategy: epoch
            logging_steps: 0.1
            lr_scheduler_kwargs: {num_cycles: 2}
            """);

        var written = config.ToDictionary().Where(pair => pair.Value.Length > 0).Select(pair => $"{pair.Key}={pair.Value}");
        var again = TrainConfig.Parse(string.Empty, "c.yaml", written);

        Assert.Equal(config.ToDictionary(), again.ToDictionary());
    }

    [Fact]
    public void Every_honoured_number_has_a_range()
    {
        Type[] numbers = [typeof(int), typeof(long), typeof(double), typeof(int?), typeof(long?), typeof(double?)];
        string[] free = ["freeze_trainable_layers"];

        Assert.All(
            ConfigKeys.All.Where(key => numbers.Contains(key.Property.PropertyType) && !free.Contains(key.Name)),
            key => Assert.True(key.Property.GetCustomAttribute<BoundsAttribute>() is not null, key.Name));
    }

    [Theory]
    [InlineData("", true, false)]
    [InlineData("enable_thinking: true", true, false)]
    [InlineData("enable_thinking: false\npreserve_thinking: true", false, true)]
    [InlineData("enable_thinking: null", null, false)]
    [InlineData("enable_thinking:", null, false)]
    public void Thinking_has_three_values_and_null_is_one_of_them(string lines, bool? enabled, bool preserved)
    {
        var data = Load(lines).Data;
        Assert.Equal((enabled, preserved), (data.EnableThinking, data.PreserveThinking));
        Assert.Null(TrainConfig.Parse(Minimal + lines, "c.yaml", ["enable_thinking=null"]).Data.EnableThinking);
    }

    [Theory]
    [InlineData("lerning_rate", "learning_rate")]
    [InlineData("lr_schduler_type", "lr_scheduler_type")]
    [InlineData("outputdir", "output_dir")]
    [InlineData("gradient_accumulation_step", "gradient_accumulation_steps")]
    public void Misspelt_keys_find_the_nearest(string key, string nearest) => Assert.Equal(nearest, NearestKey.To(key, ConfigKeys.Known));

    [Fact]
    public void A_key_like_no_other_gets_no_suggestion() => Assert.Null(NearestKey.To("zzzzzzzz", ConfigKeys.Known));

    private static TrainConfig Load(string lines) => TrainConfig.Parse(Minimal + lines, "c.yaml");

    private static IReadOnlyList<string> Problems(string yaml, params string[] overrides) =>
        Assert.Throws<ConfigException>(() => TrainConfig.Parse(yaml, "c.yaml", overrides)).Problems;
}
