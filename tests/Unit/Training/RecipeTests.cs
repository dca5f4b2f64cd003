using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Unit.Training;

/// <summary>The whole recipe on the tiny golden model: equalities that need no reference, and what happens when things go wrong.</summary>
public sealed class RecipeTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-recipe").FullName;

    [Fact]
    public void A_resumed_run_is_bitwise_the_uninterrupted_one()
    {
        var whole = Run("whole", "lora_dropout=0.1");
        using var stop = new CancellationTokenSource();
        var cut = SupervisedFineTune.Run(Config("cut", "lora_dropout=0.1"), [new StopAfter(3, stop)], stop.Token);
        Assert.True(cut.Interrupted);
        Assert.Equal(3, cut.Step);
        var rest = Run("cut", "lora_dropout=0.1", "resume_from_checkpoint=true");
        Assert.Equal(whole, rest);
        Assert.Equal(Adapter("whole"), Adapter("cut"));
    }

    [Fact]
    public void Four_samples_at_once_equal_one_sample_four_times()
    {
        var a = Run("a", "per_device_train_batch_size=4", "gradient_accumulation_steps=1");
        var b = Run("b", "per_device_train_batch_size=1", "gradient_accumulation_steps=4");
        Near(a, b, 1e-5);
    }

    [Fact]
    public void Packing_recomputation_and_caching_change_nothing()
    {
        var plain = Run("plain", "micro_batch_tokens=1", "disable_gradient_checkpointing=true", "cache_vision_features=false");
        Near(plain, Run("packed", "micro_batch_tokens=4096", "disable_gradient_checkpointing=true", "cache_vision_features=false"), 1e-5);
        Near(plain, Run("recomputed", "micro_batch_tokens=1", "recompute=always", "cache_vision_features=false"), 0);
        Near(plain, Run("cached", "micro_batch_tokens=1", "disable_gradient_checkpointing=true", "cache_vision_features=true"), 1e-5);
    }

    [Theory]
    [InlineData("zero=1")]
    [InlineData("zero=2", "offload=optimizer")]
    [InlineData("zero=3", "offload=cpu")]
    public void Adapters_cast_once_a_step_learn_the_same_from_divided_masters(params string[] divided)
    {
        string[] given = ["bf16=true", "lora_dropout=0.1", "max_steps=3"];
        Near(Run("whole", given), Run("divided", [.. given, .. divided]), 1e-6);
    }

    [Fact]
    public void Full_fine_tuning_resumes_bitwise_and_saves_a_model_that_loads()
    {
        string[] full = ["finetuning_type=full", "freeze_multi_modal_projector=false", "learning_rate=1e-5", "bf16=true"];
        var whole = Run("whole", full);
        using var stop = new CancellationTokenSource();
        Assert.True(SupervisedFineTune.Run(Config("cut", full), [new StopAfter(2, stop)], stop.Token).Interrupted);
        Assert.Equal(whole, Run("cut", [.. full, "resume_from_checkpoint=true"]));
        Run("again", [.. full, $"model_name_or_path={Out("whole")}", "max_steps=1"]);
    }

    [Fact]
    public void Only_the_asked_for_layers_learn_with_freeze()
    {
        Run("freeze", "finetuning_type=freeze", "freeze_trainable_layers=1", "freeze_trainable_modules=mlp", "max_steps=2");
        using var before = Checkpoint.Open(TestFiles.Golden("qwen2_5_vl_tiny/model"));
        using var after = Checkpoint.Open(Out("freeze"));
        var changed = before.Tensors.Keys.Where(name => !before[name].Span.SequenceEqual(after[name].Span)).ToList();
        Assert.Equal(3, changed.Count);
        Assert.All(changed, name => Assert.StartsWith("model.layers.3.mlp.", name));
    }

    [Fact]
    public void A_run_writes_the_files_that_users_look_for()
    {
        Run("files", "plot_loss=true", "report_to=tensorboard", "val_size=8", "eval_strategy=steps", "eval_steps=3", "save_steps=2", "save_total_limit=2");
        foreach (var name in new[]
        {
            "adapter_config.json", "adapter_model.safetensors", "trainer_log.jsonl", "trainer_state.json", "train_results.json", "all_results.json",
            "eval_results.json", "training_loss.svg", "training_loss.png", "training_eval_loss.svg", "tokenizer.json", "preprocessor_config.json",
        })
        {
            Assert.True(File.Exists(Path.Combine(Out("files"), name)), name);
        }

        Assert.Equal(["checkpoint-4", "checkpoint-6"], Directory.GetDirectories(Out("files"), "checkpoint-*").Select(Path.GetFileName).Order());
        Assert.Empty(Directory.GetDirectories(Out("files"), ".*"));
        Assert.Single(Directory.GetFiles(Path.Combine(Out("files"), "runs"), "events.out.tfevents*", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_profile_names_blocks_steps_and_waiting()
    {
        Run("profile", "profile=true", "max_steps=2", "recompute=always");
        var trace = Fovea.Tests.Parity.Golden.Json(Path.Combine(Out("profile"), "trace.json")).GetProperty("traceEvents").EnumerateArray()
            .Select(e => e.GetProperty("name").GetString()).ToList();
        Assert.Equal(2, trace.Count(name => name == "step"));
        Assert.Contains("wait for data", trace);
        Assert.Contains("vision block 3", trace);

        // Recomputed in the backward pass: twice a step.
        Assert.Equal(4, trace.Count(name => name == "language block 0"));
    }

    [Fact]
    public void A_gradient_that_is_not_finite_stops_the_run_before_weights_change()
    {
        var e = Assert.Throws<TrainingException>(() => Run("nan", "learning_rate=1e30", "warmup_ratio=0", "lr_scheduler_type=constant"));
        Assert.Contains("learning_rate", e.Message);
        Assert.Contains("tiny_shapes row", e.Message);
    }

    [Fact]
    public void A_full_folder_without_checkpoints_is_refused_and_nothing_in_it_is_touched()
    {
        Directory.CreateDirectory(Out("used"));
        File.WriteAllText(Path.Combine(Out("used"), "mine.txt"), "keep");
        var e = Assert.Throws<ConfigException>(() => Run("used"));
        Assert.Contains("overwrite_output_dir", e.Message);
        Assert.Equal("keep", File.ReadAllText(Path.Combine(Out("used"), "mine.txt")));
    }

    [Fact]
    public void A_checkpoint_of_other_data_is_refused()
    {
        Run("first", "max_steps=2", "save_steps=1");
        var e = Assert.Throws<ConfigException>(() => Run("first", "max_samples=10", "resume_from_checkpoint=true"));
        Assert.Contains("training samples", e.Message);
    }

    [Fact]
    public void A_checkpoint_of_another_template_is_refused_and_other_settings_are_told_once()
    {
        Run("first", "max_steps=2", "save_steps=1");
        var e = Assert.Throws<ConfigException>(() => Run("first", "template=minimind3", "resume_from_checkpoint=true"));
        Assert.Contains("was made with template qwen2_vl, this run has minimind3", e.Message);

        var told = Assert.Single(Notices("max_steps=3", "learning_rate=5.0e-4", "save_steps=1"), notice => notice.Contains("other settings"));
        Assert.EndsWith("goes on with its own: learning_rate 0.001 -> 0.0005, max_steps 2 -> 3", told);

        // From there on they are the run's own.
        Directory.Delete(Path.Combine(Out("first"), "checkpoint-2"), recursive: true);
        File.Delete(Path.Combine(Out("first"), "adapter_model.safetensors"));
        Assert.DoesNotContain(Notices("max_steps=3", "learning_rate=5.0e-4", "logging_steps=2", "save_steps=2"), notice => notice.Contains("other settings"));
        var path = Path.Combine(Out("first"), "checkpoint-3", "fovea_state.json");
        var state = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.True(state.Remove("settings") && state.Remove("template"));
        File.WriteAllText(path, state.ToJsonString());
        Assert.Single(Notices("max_steps=4"), notice => notice.Contains("is of an earlier version and does not record the settings"));

        List<string> Notices(params string[] overrides)
        {
            var sink = new NoticeSink();
            SupervisedFineTune.Run(Config("first", [.. overrides, "resume_from_checkpoint=true"]), [sink]);
            return sink.Notices;
        }
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static void Near(double[] a, double[] b, double tolerance)
    {
        Assert.Equal(a.Length, b.Length);
        for (var i = 0; i < a.Length; i++)
        {
            Assert.True(Math.Abs(a[i] - b[i]) <= tolerance, $"step {i}: {a[i]:R} and {b[i]:R}");
        }
    }

    private string Out(string name) => Path.Combine(folder, name);

    private byte[] Adapter(string name) => File.ReadAllBytes(Path.Combine(Out(name), "adapter_model.safetensors"));

    private double[] Run(string name, params string[] overrides)
    {
        SupervisedFineTune.Run(Config(name, overrides), []);
        var state = TrainerState.Load(Path.Combine(Out(name), TrainerState.FileName));
        return [.. state.LogHistory.Where(e => e.ContainsKey("loss")).Select(e => Convert.ToDouble(e["loss"]))];
    }

    private TrainConfig Config(string name, params string[] overrides)
    {
        var data = TestFiles.Golden("qwen2_5_vl_tiny/data");
        return TrainConfig.Parse(
            $"""
            model_name_or_path: {TestFiles.Golden("qwen2_5_vl_tiny/model")}
            stage: sft
            do_train: true
            finetuning_type: lora
            dataset: tiny_shapes
            dataset_dir: {data}
            output_dir: {Out(name)}
            template: qwen2_vl
            max_samples: 24
            per_device_train_batch_size: 1
            gradient_accumulation_steps: 4
            learning_rate: 1.0e-3
            max_steps: 6
            lr_scheduler_type: cosine
            warmup_ratio: 0.1
            logging_steps: 1
            vision_cache_dir: none
            """,
            "test",
            overrides);
    }

    private sealed class NoticeSink : IEventSink
    {
        public List<string> Notices { get; } = [];

        public void Write(RunEvent runEvent)
        {
            if (runEvent is Notice notice)
            {
                Notices.Add(notice.Text);
            }
        }
    }

    private sealed class StopAfter(int step, CancellationTokenSource stop) : IEventSink
    {
        public void Write(RunEvent e)
        {
            if (e is StepDone done && done.Step == step)
            {
                stop.Cancel();
            }
        }
    }
}
