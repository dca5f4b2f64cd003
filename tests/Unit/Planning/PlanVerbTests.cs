using System.Text.Json.Nodes;
using Fovea.Cli;
using Fovea.Models;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Planning;

/// <summary><c>fovea plan</c> from a config.json alone.</summary>
public sealed class PlanVerbTests : NativeTest
{
    private const long GiB = 1L << 30;
    private readonly TinyRun run = new();

    [Fact]
    public void The_7B_adapter_is_counted_as_published()
    {
        var result = Plan("bf16: true", new MemoryPlanRequest { Ranks = [1] });

        Assert.Equal((8_312_351_744, 20_185_088), (result.Parameters, result.TrainableParameters));
        var row = result.Rows.Single(r => r is { Zero: 0, Offload: "none" });
        Assert.Equal((8_292_166_656 * 2) + (20_185_088 * (4 + 2)), row.Weights); // adapters: masters, and copies as used
        Assert.Equal(20_185_088 * 4, row.Gradients);
        Assert.Equal(20_185_088 * 8, row.Optimizer);
    }

    [Fact]
    public void Groups_hold_every_weight_once()
    {
        var config = Config("bf16: true");
        using var shapes = ModelShapes.Load(config, ModelSource.Open(config.Model.ModelNameOrPath));
        var groups = ShardGroup.Of(shapes.Model);

        Assert.Equal(shapes.Model.Ledger.Count, groups.Sum(g => g.Frozen.Sum() + g.Trained.Sum()));
        Assert.Equal(20_185_088, groups.Sum(g => g.Adapters.Sum()));
        Assert.Equal(32 + 1 + 1 + 28 + 1 + 1, groups.Count);
        Assert.Equal(152064L * 3584, Assert.Single(groups, g => g.IsHead).Frozen.Sum());

        // The last norm and the patch embedding.
        Assert.Equal(3584 + (1280L * 1176), Assert.Single(groups, g => g.IsRest).Frozen.Sum());
    }

    [Fact]
    public void Sequences_that_ranks_split_are_counted_for_one_of_them()
    {
        var options = new MemoryPlanRequest { Ranks = [4], Stages = [0], Length = 32768 };
        var kept = new[] { 1, 2, 4 }.ToDictionary(
            ranks => ranks, ranks => Plan($"bf16: true\nsequence_parallel_size: {ranks}", options).Rows.Single().Activations);
        foreach (var (ranks, bytes) in kept)
        {
            // An exchange leaves a copy of attention's result; repeated key heads are no more than those of queries.
            TestContext.Current.TestOutputHelper?.WriteLine($"{ranks} ranks: {bytes / (double)GiB:0.00} GiB of activations each");
            Assert.InRange(bytes * ranks / (double)kept[1], 0.999, 1.1);
        }

        string Refusal(string lines, params int[] ranks) => Assert.Throws<ConfigException>(() => Plan(lines, options with { Ranks = ranks })).Message;
        Assert.Contains("use one of 1, 2, 4, 7, 14, 28", Refusal("sequence_parallel_size: 8", 8));
        Assert.Contains("sequence_parallel_size: 2 does not divide the number of processes, which is 3", Refusal("sequence_parallel_size: 2", 3));
        Assert.Equal([2, 4], Plan("sequence_parallel_size: 2", options with { Ranks = [1, 2, 3, 4] }).Rows.Select(row => row.Ranks));
    }

    [Fact]
    public void Each_number_of_ranks_without_rows_has_its_reason()
    {
        var options = new MemoryPlanRequest { Ranks = [1, 4, 6, 8], Stages = [0], Length = 512 };
        var split = Plan("sequence_parallel_size: 4", options);
        Assert.Equal([4, 8], split.Rows.Select(row => row.Ranks));
        Assert.Equal([1, 6], split.LeftOut.Keys);
        Assert.Contains("does not divide the number of processes, which is 6", split.LeftOut[6]);

        const string counted = "per_device_train_batch_size: 2\ngradient_accumulation_steps: 4\ndeepspeed: {train_batch_size: 32}";
        var batches = Plan(counted, options);
        Assert.Equal([4], batches.Rows.Select(row => row.Ranks));
        Assert.Contains("train_batch_size: 32 is not per_device_train_batch_size: 2 x gradient_accumulation_steps: 4 x 8 processes", batches.LeftOut[8]);

        var many = Plan("per_device_train_batch_size: 10000\ngradient_accumulation_steps: 50000", options);
        Assert.Equal([1, 4], many.Rows.Select(row => row.Ranks));
        Assert.Contains("x gradient_accumulation_steps: 50000 x 6 processes is 3,000,000,000 samples a step", many.LeftOut[6]);

        var offload = Assert.Throws<ConfigException>(() => Plan("bf16: true", options with { Offloads = [OffloadKind.Cpu] }));
        Assert.Contains("offload: cpu needs zero: 3", Assert.Single(offload.Problems));

        var config = run.Write("split.yaml", $"model_name_or_path: {TinyRun.Model}\nuse_cpu: true\nsequence_parallel_size: 2\n");
        var json = Path.Combine(run.Folder, "plan.json");
        Assert.Equal(0, Program.Main(["plan", config, "--ranks", "2,3", "--json", json]));
        Assert.Contains("which is 3", (string)JsonNode.Parse(File.ReadAllText(json))!["left_out"]!["3"]!);
    }

    [Theory]
    [InlineData("bf16: true", 14.4, 13.6, 13.1)]
    [InlineData("bf16: true\nfinetuning_type: full\nfreeze_vision_tower: false\nfreeze_multi_modal_projector: false", 16.0, 15.8, 15.6)]
    public void It_is_less_than_the_table_that_users_know(string lines, params double[] published)
    {
        var options = new MemoryPlanRequest { Ranks = [2, 4, 8], Stages = [3], Offloads = [OffloadKind.Cpu], DeviceBytes = 24 * GiB, Length = 2048 };
        var rows = Plan(lines, options).Rows;

        Assert.Equal([2, 4, 8], rows.Select(row => row.Ranks));
        Assert.All(rows.Zip(published), pair => Assert.True(pair.First.Device < 0.8 * pair.Second * GiB, $"{pair.First.Device / (double)GiB}"));
        Assert.True(rows[0].Host > 1.9 * rows[1].Host);
    }

    [Theory]
    [InlineData(true, 14.4, 13.6, 13.1)]
    [InlineData(false, 16.0, 15.8, 15.6)]
    public void MiniCpmV_as_its_scripts_train_it_takes_less_than_they_were_measured_to_take(bool lora, params double[] published)
    {
        // The arguments of finetune_lora.sh and finetune_ds.sh that decide it.
        string[] official =
        [
            $"--model_name_or_path={TestFiles.Golden("minicpm_configs/v26")}", "--bf16=true", "--model_max_length=2048", "--max_slice_nums=9",
            "--gradient_checkpointing=true", "--per_device_train_batch_size=1", "--gradient_accumulation_steps=1", "--tune_vision=true",
            .. lora
                ? new[]
                {
                    "--use_lora=true", "--tune_llm=false", "--lora_rank=64", "--lora_alpha=64", "--lora_dropout=0.05",
                    @"--lora_target_modules=llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)",
                }
                : ["--use_lora=false", "--tune_llm=true"],
        ];
        var config = TrainConfig.Parse(string.Empty, "official", official, ConfigUse.Plan);
        var options = new MemoryPlanRequest { Ranks = [2, 4, 8], Stages = [3], Offloads = [OffloadKind.Cpu], DeviceBytes = 80 * GiB };
        var result = PlanRun.Run(config, options);

        Assert.Equal(lora ? 1_070_352_624 : 8_099_175_152, result.TrainableParameters);

        // Nine slices and the whole image, 32 x 32 patches each.
        Assert.Equal((2048, 10_240), (result.Tokens, result.Patches));
        Assert.Equal([2, 4, 8], result.Rows.Select(row => row.Ranks));
        Assert.All(result.Rows.Zip(published), pair => Assert.InRange(pair.First.Device / (double)GiB, 1, 0.75 * pair.Second));
    }

    [Fact]
    public void What_fits_is_the_fastest_setting_on_each_number_of_ranks()
    {
        var request = new MemoryPlanRequest { Ranks = [1, 2, 4], DeviceBytes = 12 * GiB };
        var result = Plan("bf16: true\nactivation_offload: false", request);

        Assert.Equal(["1 3 cpu", "2 3 cpu", "4 3 none"], Choices(result));

        // Inputs of blocks in the host's memory leave room for the weights of two ranks.
        Assert.Equal(["1 3 cpu", "2 3 none", "4 3 none"], Choices(Plan("bf16: true", request)));
        Assert.All(result.Rows, row => Assert.Equal(row.Device <= 12 * GiB * 0.95, row.Fits));
        Assert.All(result.Rows.Where(row => row is { Offload: "cpu", Zero: < 3 }), row => Assert.Fail($"{row}"));

        static IEnumerable<string> Choices(MemoryPlan plan) => plan.Choices.Select(row => $"{row.Ranks} {row.Zero} {row.Offload}");
    }

    [Fact]
    public void More_is_kept_and_learnt_where_more_is_asked_for()
    {
        var request = new MemoryPlanRequest { Ranks = [2], Stages = [3], Offloads = [OffloadKind.None] };
        long Device(string lines) => Plan($"bf16: true\n{lines}", request).Rows[0].Device;

        var lora = Device("cutoff_len: 2048");
        Assert.True(Device("cutoff_len: 4096") > lora);
        Assert.True(Device("lora_rank: 64") > lora);
        Assert.True(Device("recompute: false") > Device("recompute: selective"));
        Assert.True(Device("recompute: selective") > lora);
        Assert.True(Device("additional_target: lm_head") > lora + (GiB / 2));
        var freeze = Device("finetuning_type: freeze");
        Assert.InRange(freeze, lora, Device("finetuning_type: full") - GiB);
    }

    [Fact]
    public void An_adapter_that_training_goes_on_with_is_counted_as_it_is()
    {
        var adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_init");
        var result = PlanRun.Run(
            TrainConfig.Parse($"model_name_or_path: {TinyRun.Model}\nuse_cpu: true\nadapter_name_or_path: {adapter}", "c.yaml", use: ConfigUse.Plan),
            new MemoryPlanRequest { Ranks = [1] });

        Assert.True(result.TrainableParameters > 0);
        Assert.Equal("cpu", result.Device);
        Assert.True(result.Rows[0].Mapped > 0);
    }

    [Fact]
    public void The_verb_prints_writes_and_ends_with_the_right_code()
    {
        var config = run.Write("plan.yaml", $"# mine\nmodel_name_or_path: {TinyRun.Model}\nzero: 1  # for now\nuse_cpu: true\n");
        var json = Path.Combine(run.Folder, "plan.json");

        Assert.Equal(0, Program.Main(["plan", config, "--ranks", "2", "--zero", "3", "--offload", "cpu", "--card", "1GiB", "--json", json, "--write"]));

        Assert.Equal($"# mine\nmodel_name_or_path: {TinyRun.Model}\nzero: 3  # for now\nuse_cpu: true\noffload: cpu\n", File.ReadAllText(config));
        var row = JsonNode.Parse(File.ReadAllText(json))!["rows"]![0]!;
        Assert.Equal(("3", "cpu", "True"), ($"{row["zero"]}", $"{row["offload"]}", $"{(bool)row["fits"]!}"));
        Assert.Equal(0, Program.Main(["plan", config, "--ranks", "2", "--zero", "3", "--json", json, "--offload"]));
        Assert.Equal(["optimizer", "cpu"], JsonNode.Parse(File.ReadAllText(json))!["rows"]!.AsArray().Select(r => $"{r!["offload"]}"));
        Assert.Equal(0, Program.Main(["plan", config, "--ranks", "1", "--zero", "0", "--offload", "none", "--write"]));
        Assert.Contains("zero: 0  # for now\nuse_cpu: true\noffload: none\n", File.ReadAllText(config));
    }

    [Theory]
    [InlineData("--ranks 0 --zero 4 --card much --offload disk", "--ranks 0", "--zero 4", "--card much", "--offload disk")]
    [InlineData("--write", "--write needs to know what must fit")]
    [InlineData("--card 1MiB --write", "nothing fits, and nothing was written")]
    [InlineData("fsdp=full_shard zero=2", "zero: 2 contradicts fsdp")]
    [InlineData("model_name_or_path=/no/such", "no folder /no/such")]
    public void Mistakes_are_named_with_exit_code_2(string arguments, params string[] parts)
    {
        var (code, errors) = Fails(["plan", run.Config, .. arguments.Split(' ')]);

        Assert.Equal(2, code);
        Assert.All(parts, part => Assert.Contains(part, errors));
    }

    [Fact]
    public void A_file_that_asks_in_another_way_is_not_changed()
    {
        var text = $"model_name_or_path: {TinyRun.Model}\nuse_cpu: true\nfsdp: full_shard\n";
        var config = run.Write("fsdp.yaml", text);

        var (code, errors) = Fails(["plan", config, "--ranks", "2", "--zero", "2", "--offload", "none", "--write"]);

        Assert.Equal(2, code);
        Assert.Contains("has fsdp", errors);
        Assert.Equal(text, File.ReadAllText(config));
    }

    protected override void Cleanup() => run.Dispose();

    private static TrainConfig Config(string lines) => TrainConfig.Parse(
        $"model_name_or_path: {TestFiles.Golden("qwen2_5_vl_configs/7b")}\n{lines}", "c.yaml", use: ConfigUse.Plan);

    private static MemoryPlan Plan(string lines, MemoryPlanRequest options) =>
        PlanRun.Run(Config(lines), options with { DeviceBytes = options.DeviceBytes ?? 80 * GiB });

    private static (int Code, string Errors) Fails(string[] arguments)
    {
        var before = Console.Error;
        using var errors = new StringWriter();
        Console.SetError(errors);
        try
        {
            return (Program.Main(arguments), errors.ToString());
        }
        finally
        {
            Console.SetError(before);
        }
    }
}
