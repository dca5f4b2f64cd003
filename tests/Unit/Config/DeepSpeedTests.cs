using Fovea.Distributed;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Config;

/// <summary>The three ways to ask for ZeRO mean the same, and say so when they do not.</summary>
public sealed class DeepSpeedTests
{
    private const string Minimal = "model_name_or_path: m\ndataset: d\noutput_dir: o\n";

    [Theory]
    [InlineData("ds_z0_config.json", 0, false, false)]
    [InlineData("ds_z2_config.json", 2, false, false)]
    [InlineData("ds_z2_offload_config.json", 2, true, false)]
    [InlineData("ds_z3_config.json", 3, false, false)]
    [InlineData("ds_z3_offload_config.json", 3, true, true)]
    [InlineData("ds_config_zero2.json", 2, false, false)]
    [InlineData("ds_config_zero3.json", 3, false, false)]
    public void The_files_that_users_have_are_read(string file, int stage, bool optimizer, bool parameters)
    {
        var config = Load($"bf16: true\ndeepspeed: {Golden(file)}");

        Assert.Equal(new ShardingOptions { Stage = stage, OffloadOptimizer = optimizer, OffloadParameters = parameters }, config.Parallel.Sharding);
        Assert.Contains(config.Notices, notice => notice.Contains("without effect here: ") && notice.Contains("zero_optimization.overlap_comm"));
        Assert.Equal(file == "ds_config_zero3.json", config.Schedule.DeepSpeedSchedule is not null);
        Assert.Null(config.Schedule.DeepSpeedBatchSize);
    }

    [Theory]
    [InlineData("zero: 2", 2, false, false)]
    [InlineData("zero: 3\noffload: optimizer", 3, true, false)]
    [InlineData("zero: 3\noffload: cpu", 3, true, true)]
    [InlineData("zero: 1\noffload: false", 1, false, false)]
    [InlineData("fsdp: full_shard auto_wrap", 3, false, false)]
    [InlineData("fsdp: [full_shard, offload]", 3, true, true)]
    [InlineData("fsdp: shard_grad_op offload", 2, true, false)]
    [InlineData("fsdp: no_shard", 0, false, false)]
    [InlineData("fsdp: true", 3, false, false)]
    [InlineData("fsdp: false\ndeepspeed: none", 0, false, false)]
    [InlineData("deepspeed: {zero_optimization: {stage: 1}}", 1, false, false)]
    [InlineData("zero: 2\ndeepspeed: {zero_optimization: {stage: 2}}", 2, false, false)]
    public void Short_forms_mean_the_same(string lines, int stage, bool optimizer, bool parameters) => Assert.Equal(
        new ShardingOptions { Stage = stage, OffloadOptimizer = optimizer, OffloadParameters = parameters }, Load(lines).Parallel.Sharding);

    [Fact]
    public void A_command_line_replaces_the_files_keys()
    {
        var config = TrainConfig.Parse(Minimal + "zero: 1\n", "c.yaml", ["zero=3", "offload=cpu"]);

        Assert.True(config.Parallel.Sharding is { Stage: 3, OffloadParameters: true });
        Assert.Equal(2, TrainConfig.Parse(Minimal, "c.yaml", ["deepspeed={\"zero_optimization\": {\"stage\": 2}}"]).Parallel.Zero);
    }

    [Fact]
    public void A_mapping_is_kept_and_loads_back()
    {
        var config = Load("deepspeed:\n  zero_optimization:\n    stage: 3\n    reduce_bucket_size: 5e8\n    sub_group_size: auto\n  comment: a, b");

        Assert.Equal(
            "{\"zero_optimization\": {\"stage\": 3, \"reduce_bucket_size\": 5e8, \"sub_group_size\": \"auto\"}, \"comment\": \"a, b\"}",
            config.Parallel.Deepspeed);
        var again = TrainConfig.Parse(Minimal, "c.yaml", config.ToDictionary().Where(p => p.Value.Length > 0).Select(p => $"{p.Key}={p.Value}"));
        Assert.Equal(config.ToDictionary(), again.ToDictionary());
        Assert.Equal(config.Parallel.Sharding, again.Parallel.Sharding);
    }

    [Fact]
    public void Every_value_that_contradicts_the_configuration_is_named_with_both()
    {
        var problems = Problems(
            """
            per_device_train_batch_size: 2
            gradient_accumulation_steps: 8
            warmup_steps: 10
            deepspeed:
              train_micro_batch_size_per_gpu: 4
              gradient_accumulation_steps: 8
              gradient_clipping: 0.5
              bf16: {enabled: true}
              optimizer:
                type: AdamW
                params: {lr: 3e-5, betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.1}
              scheduler:
                type: WarmupLR
                params: {warmup_min_lr: 0, warmup_max_lr: 5e-5, warmup_num_steps: 20}
            """);

        Assert.Equal(
            [
                "train_micro_batch_size_per_gpu: 4 contradicts per_device_train_batch_size: 2",
                "gradient_clipping: 0.5 contradicts max_grad_norm: 1",
                "bf16.enabled: true contradicts bf16: false",
                "optimizer.params.lr: 3e-5 contradicts learning_rate: 5E-05",
                "optimizer.params.betas[1]: 0.95 contradicts adam_beta2: 0.999",
                "optimizer.params.weight_decay: 0.1 contradicts weight_decay: 0",
                "scheduler.params.warmup_num_steps: 20 contradicts warmup_steps: 10",
            ],
            problems.Select(problem => problem["c.yaml line 7: deepspeed: the mapping: ".Length..].Split(';')[0]));
    }

    [Fact]
    public void Every_key_that_is_not_supported_is_named_at_once()
    {
        var problems = Problems(
            """
            deepspeed:
              fp16: {enabled: true, loss_scale: 0}
              fp8: {enabled: true}
              amp: {enabled: false}
              tensor_parallel: {autotp_size: 2}
              gradient_cliping: 1
              optimizer: {type: Lamb, params: {lr: auto, momentum: 0.9}}
              scheduler: {type: OneCycle, params: {}}
              zero_optimization:
                stage: 4
                zero_quantized_weights: true
                zero_quantized_gradients: false
                mics_shard_size: -1
                offload_optimizer: {device: nvme, ratio: 0.5}
            """);

        string[] expected =
        [
            "fp16.enabled: true contradicts fp16: false", "fp8: ", "tensor_parallel: ", "gradient_cliping is not supported; did you mean gradient_clipping?",
            "optimizer.type: Lamb is refused", "optimizer.params.momentum is not supported", "scheduler.type: OneCycle is refused",
            "zero_optimization.stage: 4 is not allowed", "zero_optimization.zero_quantized_weights: true is refused",
            "zero_optimization.offload_optimizer.device: nvme is refused", "zero_optimization.offload_optimizer.ratio: 0.5 is refused",
        ];
        Assert.Equal(expected.Length, problems.Count);
        Assert.All(expected.Zip(problems), pair => Assert.StartsWith($"c.yaml line 4: deepspeed: the mapping: {pair.First}", pair.Second));
    }

    [Theory]
    [InlineData("zero: 4", "at most 3")]
    [InlineData("offload: optimizer", "offload: optimizer needs zero")]
    [InlineData("zero: 2\noffload: cpu", "use offload: optimizer, or zero: 3")]
    [InlineData("offload: nvme\nzero: 3", "none, optimizer, cpu")]
    [InlineData("zero: 2\ndeepspeed: {zero_optimization: {stage: 3}}", "zero: 2 contradicts deepspeed: the mapping, which is zero: 3")]
    [InlineData("zero: 3\noffload: cpu\nfsdp: full_shard", "offload: cpu contradicts fsdp: full_shard, which is offload: none")]
    [InlineData("fsdp: full_shard\ndeepspeed: {zero_optimization: {stage: 3}}", "fsdp: contradicts deepspeed")]
    [InlineData("fsdp: hybrid_shard", "fsdp: hybrid_shard is refused: it must be full_shard")]
    [InlineData("fsdp: offload", "offload needs one that shards")]
    [InlineData("deepspeed: no-such.json", "deepspeed: no-such.json cannot be read")]
    [InlineData("deepspeed: {zero_optimization: {stage: 2, offload_param: {device: cpu}}}", "offload_param needs stage 3")]
    [InlineData("deepspeed: {zero_optimization: 3}", "zero_optimization: 3 is not allowed: it must be an object")]
    [InlineData("deepspeed: {optimizer: {type: AdamW, params: {betas: 0.9}}}", "it must be two numbers, or auto")]
    [InlineData("deepspeed: {scheduler: {type: WarmupDecayLR, params: {warmup_num_steps: auto, warmup_max_lr: auto}}}", "total_num_steps is missing")]
    [InlineData("deepspeed: {scheduler: {type: WarmupLR, params: {total_num_steps: auto, warmup_num_steps: auto}}}", "total_num_steps is not supported")]
    public void What_cannot_be_is_refused_with_a_reason(string lines, string part) =>
        Assert.Contains(Problems(lines), problem => problem.Contains(part, StringComparison.Ordinal));

    [Theory]
    [InlineData("{\n  // fast\n  \"zero_optimization\": {}\n}", "c.json line 2, column 3 is not valid JSON: a comment")]
    [InlineData("{\"zero_optimization\": {\"stage\": 2, \"stage\": 3}}", "gives zero_optimization.stage twice")]
    [InlineData("[1]", "c.json is not one JSON object")]
    public void A_file_that_DeepSpeed_would_not_read_is_refused(string text, string part)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-ds");
        try
        {
            var path = Path.Combine(folder.FullName, "c.json");
            File.WriteAllText(path, text);
            Assert.Contains(part, Assert.Single(Problems($"deepspeed: {path}")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_global_batch_is_checked_against_the_number_of_processes()
    {
        var config = Load("per_device_train_batch_size: 2\ngradient_accumulation_steps: 4\ndeepspeed: {train_batch_size: 32}");

        config.Schedule.CheckRanks(4);
        Assert.Contains("train_batch_size: 32 is not", Assert.Throws<ConfigException>(() => config.Schedule.CheckRanks(2)).Message);
        Load("zero: 3").Schedule.CheckRanks(7);
    }

    [Fact]
    public void Saving_and_pinning_follow_the_file()
    {
        var config = Load(
            """
            deepspeed:
              zero_optimization:
                stage: 3
                offload_param: {device: cpu, pin_memory: false}
                stage3_gather_16bit_weights_on_model_save: false
            """);

        Assert.True(config.Parallel.Sharding is { PinMemory: false, SaveWhole: false, OffloadParameters: true, OffloadOptimizer: true });
        Assert.Contains(config.Notices, notice => notice.Contains("the optimizer's state lies in the host's memory too"));
    }

    [Fact]
    public void A_file_is_not_looked_for_where_nothing_is_trained() =>
        Assert.Equal("gone.json", TrainConfig.Parse("model_name_or_path: m\ndeepspeed: gone.json", "c.yaml", use: ConfigUse.Chat).Parallel.Deepspeed);

    private static string Golden(string file) => TestFiles.Golden($"deepspeed/{file}");

    private static TrainConfig Load(string lines) => TrainConfig.Parse(Minimal + lines, "c.yaml");

    private static IReadOnlyList<string> Problems(string lines) =>
        Assert.Throws<ConfigException>(() => TrainConfig.Parse(Minimal + lines, "c.yaml")).Problems;
}
