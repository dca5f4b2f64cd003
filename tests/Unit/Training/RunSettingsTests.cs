using System.Reflection;
using Fovea.Data.Datasets;
using Fovea.Keys;
using Fovea.Models.Peft;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>A resumed run compares every setting that changes what is learnt, as the configuration itself says of each key.</summary>
public sealed class RunSettingsTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public void Every_key_says_what_it_changes_and_an_outcome_that_is_compared_instead_is_in_the_checkpoint()
    {
        foreach (var key in ConfigKeys.All)
        {
            var kept = key.As is null || typeof(RunProgress).GetProperty(key.As) is not null || FamilySettings.OutcomeKeys.Contains(key.As);
            Assert.True(kept && (key.As is null || key.Effect == Effect.Learning), key.Name);
        }

        // Whatever else can be set from outside is no key: names on a hub are found by whoever starts the run, the seed of the data follows from seed,
        // metrics come from code, and the maps of loss_scale from what that key names.
        var sections = ConfigKeys.All.Select(key => key.Property.DeclaringType!).Distinct();
        var silent = sections.SelectMany(section => section.GetProperties()).Where(property =>
            property.SetMethod is { IsPublic: true } && property.GetCustomAttribute<AffectsAttribute>() is null);
        Assert.Equal(
            [
                nameof(ModelSection.HubNames), nameof(DataOptions.Given), nameof(DataOptions.Repositories), nameof(DataOptions.FromHub),
                nameof(DataOptions.Seed), nameof(DataOptions.Scale), nameof(RunSection.AnswerMetrics),
            ],
            silent.Select(property => property.Name));
    }

    [Fact]
    public void Every_setting_that_changes_what_is_learnt_is_told_when_it_differs_and_when_it_is_not_known()
    {
        var now = RunSettings.Of(new TrainConfig());
        Assert.Empty(RunSettings.Differences(now, now));
        Assert.Superset(
            new HashSet<string> { "per_device_train_batch_size", "on_bad_sample", "loss_reduction", "learning_rate", "dataset" }, now.Keys.ToHashSet());
        foreach (var name in now.Keys)
        {
            var then = new Dictionary<string, string>(now) { [name] = "another" };
            var told = AdapterKeys.All.Contains(name) ? $"{name} another (this run has {now[name]})" : $"{name} another -> {now[name]}";
            Assert.EndsWith($": {told}", Assert.Single(RunSettings.Differences(then, now)));
            Assert.Equal(AdapterKeys.All.Contains(name) ? "another" : now[name], RunSettings.GoingOn(then, now)[name]);
            then.Remove(name);
            Assert.Contains($"does not record {name}:", Assert.Single(RunSettings.Differences(then, now)));
        }

        Assert.Single(RunSettings.Differences(null, now));
    }

    [Fact]
    public void The_schedule_of_a_DeepSpeed_file_is_compared_by_what_it_says()
    {
        var first = RunSettings.Of(With(new DeepSpeedSchedule(DeepSpeedScheduler.WarmupLR, "a.json")));
        var moved = RunSettings.Of(With(new DeepSpeedSchedule(DeepSpeedScheduler.WarmupLR, "b.json")));
        var other = RunSettings.Of(With(new DeepSpeedSchedule(DeepSpeedScheduler.WarmupLR, "a.json") { MinRate = 0.5 }));
        Assert.Empty(RunSettings.Differences(first, moved));
        Assert.Contains("scheduler of deepspeed", Assert.Single(RunSettings.Differences(first, other)));

        static TrainConfig With(DeepSpeedSchedule schedule) => new() { Schedule = new ScheduleSection { DeepSpeedSchedule = schedule } };
    }

    [Fact]
    public void A_run_that_goes_on_with_another_split_of_its_steps_or_another_way_with_bad_samples_is_told()
    {
        string[] mean = ["loss_reduction=mean", "per_device_train_batch_size=2", "gradient_accumulation_steps=4"];
        Train([.. mean, "max_steps=1"]);
        var told = Train([.. mean, "max_steps=2", "per_device_train_batch_size=4", "gradient_accumulation_steps=2", "on_bad_sample=skip"]);
        Assert.Contains(told, notice => notice.EndsWith(
            "goes on with its own: on_bad_sample error -> skip, per_device_train_batch_size 2 -> 4, max_steps 1 -> 2", StringComparison.Ordinal));
    }

    [Fact]
    public void Of_the_adapter_the_checkpoint_s_settings_count_and_that_is_said()
    {
        Train("max_steps=1", "init_weights=gaussian");
        var told = Train("max_steps=2", "lora_rank=4", "init_weights=true", "lora_dropout=0.1");
        Assert.Contains(told, notice => notice.EndsWith("this run goes on with its own: lora_dropout 0 -> 0.1, max_steps 1 -> 2", StringComparison.Ordinal));
        Assert.Contains(told, notice => notice.EndsWith(
            "so its settings count and not this run's: lora_rank 8 (this run has 4), init_weights gaussian (this run has true)", StringComparison.Ordinal));
        var saved = PeftConfig.Read(run.Out());
        Assert.Equal((8, "gaussian"), (saved.Lora.Rank, saved.Lora.Start.Name));
    }

    [Fact]
    public void Dropout_is_the_adapter_s_where_the_key_is_not_given()
    {
        Train("max_steps=1", "lora_dropout=0.1");
        string[] next = ["max_steps=1", $"adapter_name_or_path={run.Out()}"];
        var told = Train([.. next, $"output_dir={run.Out("left")}"]);
        Assert.Contains($"lora_dropout: 0.1, as {run.Out()} has it", told);
        Train([.. next, "lora_dropout=0.1", $"output_dir={run.Out("given")}"]);
        Train([.. next, "lora_dropout=0", $"output_dir={run.Out("none")}"]);
        Assert.Equal(run.Adapter("given"), run.Adapter("left"));
        Assert.NotEqual(run.Adapter("none"), run.Adapter("left"));
        Assert.Equal((0.1, 0.0), (PeftConfig.Read(run.Out("left")).Lora.Dropout, PeftConfig.Read(run.Out("none")).Lora.Dropout));
    }

    [Theory]
    [InlineData("lora_rank=16,lora_alpha=4", "lora_rank: 16 (the adapter's: 8); lora_alpha: 4 (the adapter's: 16)")]
    [InlineData("use_dora=true,use_rslora=true", "use_rslora: true (the adapter's: false); use_dora: true (the adapter's: false)")]
    [InlineData("pissa_init=true,pissa_iter=4", "pissa_init: true, pissa_iter: 4 (the adapter's: init_lora_weights true)")]
    [InlineData("init_weights=olora", "init_weights: olora (the adapter's: init_lora_weights true)")]
    [InlineData("lora_target=q_proj", "lora_target: q_proj (the adapter's: 12 linears, q_proj, v_proj, up_proj)")]
    [InlineData("exclude_modules=q_proj", "lora_target: q_proj,v_proj,up_proj, exclude_modules: q_proj (the adapter's: 12 linears, q_proj, v_proj, up_proj)")]
    [InlineData("rank_pattern={q_proj: 4}", "rank_pattern: {q_proj: 4} (the adapter's: none)")]
    [InlineData("lora_rank=8,lora_alpha=16,lora_target=v_proj;q_proj;up_proj,use_dora=false,init_weights=true,lora_dropout=0.1", null)]
    public void Keys_that_an_adapter_that_goes_on_leaves_no_room_for_are_named_where_they_differ(string keys, string? told)
    {
        Train("max_steps=1", "lora_target=q_proj,v_proj,up_proj");
        string[] given = [.. keys.Split(',').Select(key => key.Replace(';', ','))];
        string[] target = keys.Contains("lora_target") ? [] : ["lora_target=q_proj,v_proj,up_proj"];
        var notices = Train([.. given, .. target, "max_steps=1", $"adapter_name_or_path={run.Out()}", $"output_dir={run.Out("next")}"])
            .Where(notice => notice.Contains("goes on with", StringComparison.Ordinal)).ToList();
        if (told is null)
        {
            Assert.Empty(notices);
            return;
        }

        var start = $"training goes on with {run.Out()} as it is, so these keys of the configuration are ignored: {told}";
        Assert.StartsWith(start, Assert.Single(notices), StringComparison.Ordinal);
        Assert.Equal(8, PeftConfig.Read(run.Out("next")).Lora.Rank);
    }

    [Fact]
    public void What_only_changes_how_it_runs_or_what_is_written_is_not_told()
    {
        Train("max_steps=2", "save_steps=1");
        var told = Train(
            "max_steps=2", $"resume_from_checkpoint={run.Out("out/checkpoint-1")}", "recompute=always", "micro_batch_tokens=4000", "logging_steps=2",
            "save_steps=5", "dataloader_num_workers=1", "plot_loss=true", "max_new_tokens=3");
        Assert.DoesNotContain(told, notice => notice.Contains("settings") || notice.Contains("does not record"));
    }

    [Fact]
    public void Another_folder_of_the_base_model_is_told()
    {
        Train("max_steps=1");
        var model = run.CopyOfModel();
        Assert.Contains(Train("max_steps=2", $"model_name_or_path={model}"), notice =>
            notice.Contains(TinyRun.Model) && notice.EndsWith($"this run has {model}: it must be the same one", StringComparison.Ordinal));
    }

    [Fact]
    public void What_was_decided_by_name_for_a_run_is_there_when_it_goes_on()
    {
        var progress = new RunProgress { Step = 1, TotalSteps = 2, Samples = 3, SamplesPerStep = 1, Seed = 4 };
        Assert.Null(progress.Choice("products"));
        var decided = progress.With("products", "library").With("other", "x").With("products", "widened");
        var text = System.Text.Json.JsonSerializer.Serialize(decided);
        var read = System.Text.Json.JsonSerializer.Deserialize<RunProgress>(text)!;
        Assert.Equal(("widened", "x", null), (read.Choice("products"), read.Choice("other"), read.Choice("third")));
    }

    protected override void Cleanup() => run.Dispose();

    private List<string> Train(params string[] overrides)
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(TrainConfig.Load(run.Config, [$"output_dir={run.Out()}", .. overrides]), [seen]);
        return [.. seen.Notices];
    }
}
