using System.Reflection;
using Fovea.Events;
using Fovea.Running;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Library;

/// <summary>A run as a program describes it: the same run as a file's, with the same checks, and its end as a result.</summary>
public sealed class FineTuneTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public async Task Conversations_made_in_code_train_bitwise_as_the_same_rows_of_a_file()
    {
        SupervisedFineTune.Run(TrainConfig.Load(run.Config, [$"output_dir={run.Out("file")}", "max_steps=4"]), []);
        var result = await Described("code").With(o => o.Schedule.MaxSteps = 4).RunAsync();
        Assert.Equal(run.Losses("file"), run.Losses("code"));
        Assert.Equal(run.Adapter("file"), run.Adapter("code"));
        Assert.Equal((4, false, run.Out("code")), (result.Steps, result.Interrupted, result.OutputFolder));
        Assert.Equal(run.Losses("code").Average(), result.TrainLoss!.Value, 1e-4);
        Assert.Null(result.Checkpoint);
    }

    [Fact]
    public void Settings_made_in_code_are_those_of_a_file()
    {
        var yaml = TrainConfig.Parse(
            """
            model_name_or_path: base
            dataset: a.json, b
            output_dir: out
            finetuning_type: full
            bf16: true
            lora_rank: 16
            lora_target: q_proj, v_proj
            learning_rate: 1.0e-4
            num_train_epochs: 0.5
            lr_scheduler_type: cosine
            warmup_ratio: 0.1
            cutoff_len: 512
            on_bad_sample: skip
            recompute: selective
            memory_budget: 3GiB
            cache_vision_features: false
            save_steps: 0.25
            save_strategy: epoch
            report_to: [none]
            lr_scheduler_kwargs: {min_lr: 0.5}
            """,
            "test");
        var code = FineTune.Of("base").On("a.json", "b").To("out").With(o =>
        {
            o.Method = FinetuningType.Full;
            o.Precision = Precision.Bf16;
            o.Lora.Rank = 16;
            o.Lora.Targets = ["q_proj", "v_proj"];
            o.Optimizer.LearningRate = 1e-4;
            o.Schedule.Epochs = 0.5;
            o.Schedule.LearningRate = LrSchedulerType.Cosine;
            o.Schedule.WarmupRatio = 0.1;
            o.Data.MaxTokens = 512;
            o.Data.OnBadSample = BadSamplePolicy.Skip;
            o.Memory.Recompute = RecomputeMode.Selective;
            o.Memory.Budget = "3GiB";
            o.Memory.CacheVisionFeatures = false;
            o.Output.SaveSteps = 0.25;
            o.Output.SaveStrategy = IntervalStrategy.Epoch;
            o.Output.ReportTo = ["none"];
            o["lr_scheduler_kwargs"] = "{min_lr: 0.5}";
        });
        Assert.Equal(yaml.ToDictionary(), code.Configuration(ConfigUse.Train).ToDictionary());
        var defaults = new TrainConfig { Model = new ModelSection { ModelNameOrPath = "base" } };
        Assert.Equal(defaults.ToDictionary(), FineTune.Of("base").Configuration(ConfigUse.Any).ToDictionary());
    }

    [Fact]
    public void Every_setting_stands_for_a_key_of_the_same_kind_and_says_nothing_until_it_is_set()
    {
        var options = new FineTuneOptions();
        Assert.Empty(OptionEntries.Of(options));
        var all = Settings(options).ToList();
        Assert.True(all.Count > 50);
        Assert.Equal(all.Count, all.Select(setting => setting.Key).Distinct().Count());
        foreach (var (owner, property, name) in all)
        {
            var key = ConfigKeys.Find(name);
            Assert.True(key is not null && key.Name == name, $"{property.Name}: {name} is no key");
            property.SetValue(owner, Sample(property.PropertyType, key));
            var entry = Assert.Single(OptionEntries.Of(options));
            Assert.Equal(name, entry.Key);
            Assert.NotNull(ConfigValues.Convert(entry.Value, key)); // what a key does not take throws
            property.SetValue(owner, null);
        }
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once_by_the_name_of_the_setting()
    {
        var problems = Assert.Throws<ConfigException>(() => FineTune.Of("base").On("a.json").To("out").With(o =>
        {
            o.Lora.Rank = 0;
            o.Optimizer.LearningRate = double.NaN;
            o["learning_rat"] = 1;
            o.Memory.Budget = "much";
        }).Plan()).Problems;
        Assert.Contains(problems, p => p.StartsWith("options.Lora.Rank: lora_rank: 0 is not allowed", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.StartsWith("options.Optimizer.LearningRate:", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("did you mean learning_rate?"));
        Assert.Contains(problems, p => p.StartsWith("options.Memory.Budget:", StringComparison.Ordinal));
        Assert.Contains("DateTime", Assert.Throws<ConfigException>(() => FineTune.Of("base").With(o => o["seed"] = DateTime.UnixEpoch).Plan()).Message);
    }

    [Fact]
    public async Task A_cancelled_run_saves_and_the_same_again_goes_on_to_the_same_end()
    {
        await Described("whole").RunAsync();
        using var cancel = new CancellationTokenSource();
        var stopped = await Described("parts").RunAsync(
            e =>
            {
                if (e is StepDone { Step: 3 })
                {
                    cancel.Cancel();
                }
            },
            cancel.Token);
        Assert.True(stopped.Interrupted);
        Assert.InRange(stopped.Steps, 3, 4); // the step that is under way is finished
        Assert.Equal(Path.Combine(run.Out("parts"), $"checkpoint-{stopped.Steps}"), stopped.Checkpoint);
        var result = await Described("parts").With(o => o.Output.ResumeFrom = "true").RunAsync();
        Assert.Equal((10, false), (result.Steps, result.Interrupted));
        Assert.Equal(run.Losses("whole"), run.Losses("parts"));
        Assert.Equal(run.Adapter("whole"), run.Adapter("parts"));
    }

    [Fact]
    public async Task Events_come_in_order_held_out_rows_are_measured_and_a_view_that_fails_stops_nothing()
    {
        var events = new List<RunEvent>();
        var result = await Described("events").Measure(LibraryRows.Take(30).Skip(24)).With(o => o.Schedule.MaxSteps = 3).RunAsync(events.Add);
        Assert.IsType<RunStarted>(events.First(e => e is not (Notice or Warning)));
        Assert.Equal([1, 2, 3], events.OfType<StepLogged>().Select(e => e.Step));
        Assert.IsType<RunFinished>(events[^1]);
        Assert.Equal(6, result.HeldOut!.Samples);
        Assert.Equal(events.OfType<Evaluated>().Single(e => e.Final).Loss, result.HeldOut.Loss);
        var failing = await Described("failing").With(o => o.Schedule.MaxSteps = 2).RunAsync(e => throw new InvalidOperationException("a view"));
        Assert.Equal(2, failing.Steps);
        var reported = new Collected();
        await Described("reported").With(o => o.Schedule.MaxSteps = 2).RunAsync(reported);
        Assert.Contains(reported.Events, e => e is RunFinished);
    }

    [Fact]
    public async Task A_second_run_at_the_same_time_is_refused_and_the_first_goes_on()
    {
        Task<FineTuneResult>? second = null;
        var result = await Described("first").With(o => o.Schedule.MaxSteps = 2).RunAsync(e => second ??= Described("second").RunAsync());
        Assert.Equal(2, result.Steps);
        Assert.Contains("await that one first", (await Assert.ThrowsAsync<InvalidOperationException>(() => second!)).Message);
        Assert.False(Directory.Exists(run.Out("second")));
    }

    [Fact]
    public async Task Conversations_that_cannot_be_used_are_listed_before_anything_is_trained()
    {
        var good = LibraryRows.Take(2);
        Conversation[] rows =
        [
            good[0],
            new([Message.User("A question alone")]),
            new([Message.User(Image.FromFile("absent.png"), "What?"), Message.Assistant("Nothing.")]),
            new([Message.User("What?"), Message.Assistant(" ")]),
            new([Message.Assistant("I begin"), Message.User("You?"), Message.Assistant("Yes")]),
            new([Message.User(new Video("film.mp4")), Message.Assistant("A film.")]),
            null!,
            good[1],
        ];
        var problems = (await Assert.ThrowsAsync<ConfigException>(() => FineTune.FromFile(run.Config).On(rows).To(run.Out("bad")).RunAsync())).Problems;
        string[] expected = ["ends with a question", "absent.png", "an answer is empty", "by the assistant", "a video", "is null"];
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Contains($"'conversations', row {i + 2}: ", problems[i]);
            Assert.Contains(expected[i], problems[i]);
        }

        Assert.False(Directory.Exists(run.Out("bad")));
        var skipped = await FineTune.FromFile(run.Config).On(rows).To(run.Out("skip"))
            .With(o => (o.Data.OnBadSample, o.Schedule.MaxSteps) = (BadSamplePolicy.Skip, 1)).RunAsync();
        Assert.Equal(1, skipped.Steps);
    }

    [Fact]
    public void A_plan_is_the_command_line_s()
    {
        var plan = Described("plan").Plan(new() { Ranks = [1, 2], Length = 512, DeviceBytes = 1L << 30 });
        var config = TrainConfig.Load(run.Config, [$"output_dir={run.Out("plan")}"], ConfigUse.Plan);
        var expected = PlanRun.Run(config, new MemoryPlanRequest { Ranks = [1, 2], Length = 512, DeviceBytes = 1L << 30 });
        Assert.Equal(expected.Rows, plan.Rows);
        Assert.True(plan.Choices[0].Fits);
    }

    [Fact]
    public void A_run_needs_a_model_data_and_a_folder()
    {
        var problems = Assert.Throws<ConfigException>(() => FineTune.Of("base").Configuration(ConfigUse.Train)).Problems;
        Assert.Contains(problems, p => p.Contains("dataset"));
        Assert.Contains(problems, p => p.Contains("output_dir"));
        Assert.Throws<ArgumentException>(() => FineTune.Of(string.Empty));
        Assert.Throws<ConfigException>(() => FineTune.FromFile("absent.yaml"));
    }

    protected override void Cleanup() => run.Dispose();

    private static IEnumerable<(object Owner, PropertyInfo Property, string Key)> Settings(object owner)
    {
        foreach (var property in owner.GetType().GetProperties().Where(p => p.GetIndexParameters().Length == 0))
        {
            if (property.GetCustomAttribute<KeyAttribute>() is { } key)
            {
                yield return (owner, property, key.Name);
            }
            else if (!property.CanWrite)
            {
                foreach (var inner in Settings(property.GetValue(owner)!))
                {
                    yield return inner;
                }
            }
        }
    }

    private static object Sample(Type type, ConfigKey key)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            _ when type == typeof(bool) => true,
            _ when type == typeof(int) => Enumerable.Range(1, 8).First(value => key.Bounds?.Allows(value) != false),
            _ when type == typeof(double) => 0.5,
            _ when type == typeof(string) => key.Property.PropertyType == typeof(MemorySize?) ? "1GiB" : "text",
            _ when type.IsEnum => Enum.GetValues(type).GetValue(1)!,
            _ when type == typeof(IReadOnlyDictionary<string, double>) => new Dictionary<string, double> { ["q_proj"] = 4 },
            _ => (IReadOnlyList<string>)["a", "b"],
        };
    }

    /// <summary>The run of <see cref="TinyRun.Config"/> on the same rows, given in code.</summary>
    private FineTune Described(string name) => FineTune.FromFile(run.Config).On(LibraryRows.Take(24)).To(run.Out(name));

    private sealed class Collected : IProgress<RunEvent>
    {
        public List<RunEvent> Events { get; } = [];

        public void Report(RunEvent value) => Events.Add(value);
    }
}
