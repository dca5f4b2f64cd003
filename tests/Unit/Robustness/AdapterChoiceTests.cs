using System.Text.Json.Nodes;
using Fovea.Cli.Verbs;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>Which adapter chat and eval use with a run's configuration: before it, after it, going on from another, on another model.</summary>
public sealed class AdapterChoiceTests : NativeTest
{
    private readonly TinyRun run = new();

    [Theory]
    [InlineData("chat")]
    [InlineData("eval")]
    public void Before_the_run_has_a_result_that_is_said_and_the_base_answers(string verb)
    {
        var (code, errors) = FailureTests.Invoke(verb == "chat"
            ? ["chat", run.Config, $"output_dir={run.Out()}", "--prompt", "hi", "--greedy", "--max-new-tokens", "1"]
            : ["eval", run.Config, $"output_dir={run.Out()}", "max_samples=2"]);
        Assert.Equal(0, code);
        Assert.Contains($"warning: no adapter in output_dir, {run.Out()}, yet: the base model answers, without any training of this run", errors);
    }

    [Fact]
    public void A_run_that_goes_on_from_an_adapter_is_asked_for_its_own_once_it_is_there()
    {
        Train("first");
        Train("other", "seed=7");
        string[] goesOn = [$"adapter_name_or_path={run.Out("first")}", $"output_dir={run.Out("second")}"];
        var config = TrainConfig.Load(run.Config, goesOn, ConfigUse.Any);
        var (chosen, text) = Complete(config);
        Assert.Equal([run.Out("first")], chosen.Model.AdapterNameOrPath);
        Assert.Contains($"yet: {run.Out("first")}, from which the run starts, is used", text, StringComparison.Ordinal);

        Train("second", $"adapter_name_or_path={run.Out("first")}");
        (chosen, text) = Complete(config);
        Assert.Equal([run.Out("second")], chosen.Model.AdapterNameOrPath);
        Assert.Contains($"{run.Out("second")}: the result of the run that went on from {run.Out("first")}", text, StringComparison.Ordinal);

        // Those before the last were merged first, and are again.
        Train("third", $"adapter_name_or_path={run.Out("other")},{run.Out("first")}");
        (chosen, text) = Complete(TrainConfig.Load(
            run.Config, [$"adapter_name_or_path={run.Out("other")},{run.Out("first")}", $"output_dir={run.Out("third")}"], ConfigUse.Any));
        Assert.Equal([run.Out("other"), run.Out("third")], chosen.Model.AdapterNameOrPath);
        Assert.DoesNotContain("warning", text, StringComparison.Ordinal);
        Assert.Single(AdapterBase.Read(run.Out("third"))!.Below);
    }

    [Fact]
    public void An_adapter_named_on_the_command_line_stands_before_the_run_s_own()
    {
        Train("out");
        var checkpoint = Path.Combine(run.Out(), "checkpoint-1");
        var file = run.Write("own.yaml", $"{File.ReadAllText(run.Config)}\noutput_dir: {run.Out()}\n");
        Assert.Equal([checkpoint], Complete(Chat("--adapter", checkpoint)).Config.Model.AdapterNameOrPath);
        Assert.Equal([checkpoint], Complete(Chat($"adapter_name_or_path={checkpoint}")).Config.Model.AdapterNameOrPath);
        Assert.Equal([run.Out()], Complete(Chat()).Config.Model.AdapterNameOrPath);
        Assert.Equal([checkpoint], Complete(EvalVerb.Read(file, [], null, [checkpoint], ConfigUse.Any)).Config.Model.AdapterNameOrPath);
        var read = EvalVerb.Read(file, [$"adapter_name_or_path={checkpoint}"], null, [], ConfigUse.Any);
        Assert.Equal([checkpoint], Complete(read).Config.Model.AdapterNameOrPath);
        Assert.Empty(Complete(EvalVerb.Read(file, [], TinyRun.Model, [], ConfigUse.Any)).Config.Model.AdapterNameOrPath);

        var error = Assert.Throws<ConfigException>(() => Complete(Chat("--adapter", Path.Combine(run.Out(), "checkpoint-7"))));
        Assert.Contains($"beside it lie the adapters {Path.Combine(run.Out(), "checkpoint-2")}, {checkpoint}", error.Message, StringComparison.Ordinal);

        TrainConfig Chat(params string[] more)
        {
            var parsed = ChatVerb.Create().Parse([file, .. more]);
            return ChatVerb.Read(parsed, [file, .. more.Where(word => word.Contains('=', StringComparison.Ordinal))], ConfigUse.Any);
        }
    }

    [Fact]
    public void While_a_run_has_only_checkpoints_the_newest_is_named()
    {
        Train("out");
        File.Delete(Path.Combine(run.Out(), PeftConfig.FileName));
        var newest = Path.Combine(run.Out(), "checkpoint-2");
        Assert.Contains($"--adapter {newest} uses its newest checkpoint", Complete(Config("out")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_run_s_adapter_is_not_put_on_its_own_merged_model_and_the_remedies_work()
    {
        Train("out");
        var merged = run.Out("merged");
        Assert.Equal(0, FailureTests.Invoke("export", "--model", TinyRun.Model, "--adapter", run.Out(), "--out", merged).Code);
        File.Delete(Path.Combine(merged, "fovea_export.json"));
        string[] chat = ["chat", run.Config, $"output_dir={run.Out()}", "--model", merged, "--prompt", "hi", "--greedy", "--max-new-tokens", "1"];
        var (code, errors) = FailureTests.Invoke(chat);
        Assert.Equal(2, code);
        var error = Assert.Single(errors, line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.Contains($"{run.Out()} was trained on model, and {merged} is another model: its weights are others", error, StringComparison.Ordinal);
        Assert.Contains($"or --adapter {run.Out()} to use the adapter here all the same, or output_dir= to use", error, StringComparison.Ordinal);

        (code, errors) = FailureTests.Invoke([.. chat, "--adapter", run.Out()]);
        Assert.Equal(0, code);
        Assert.Single(errors, line => line.StartsWith("warning: ", StringComparison.Ordinal) && line.EndsWith("since it was named", StringComparison.Ordinal));
        (code, errors) = FailureTests.Invoke([.. chat.Select(word => word.StartsWith("output_dir=", StringComparison.Ordinal) ? "output_dir=" : word)]);
        Assert.Equal(0, code);
        Assert.DoesNotContain(errors, line => line.Contains("adapter", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_saved_adapter_says_its_base_and_is_not_resumed_on_another()
    {
        Train("out");
        var known = AdapterBase.Of(ModelSource.Open(TinyRun.Model), []);
        foreach (var saved in new[] { run.Out(), Path.Combine(run.Out(), "checkpoint-1"), Path.Combine(run.Out(), "checkpoint-2") })
        {
            Assert.Equivalent(known, AdapterBase.Read(saved), strict: true);
        }

        var other = run.CopyOfModel();
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(other, "config.json")))!;
        config["rms_norm_eps"] = 1e-5;
        File.WriteAllText(Path.Combine(other, "config.json"), config.ToJsonString());
        string[] resumed = run.Train("out", "max_steps=4", $"model_name_or_path={other}", $"resume_from_checkpoint={Path.Combine(run.Out(), "checkpoint-1")}");
        var (code, errors) = FailureTests.Invoke(resumed);
        Assert.Equal(2, code);
        const string remedy = "its config.json differs in what it computes; go on with the model that the run began with";
        Assert.Contains(remedy, Assert.Single(errors), StringComparison.Ordinal);

        // Named, it is trained further there, and the run says so.
        Train("next", $"model_name_or_path={other}", $"adapter_name_or_path={run.Out()}");
        Assert.Contains("; the adapter is used all the same, since it was named", run.Log("next"), StringComparison.Ordinal);
        Assert.NotEqual(known.Config, AdapterBase.Read(run.Out("next"))!.Config);
    }

    [Fact]
    public void A_missing_adapter_is_told_before_the_base_is_loaded()
    {
        var (code, errors) = FailureTests.Invoke(run.Train("out", $"adapter_name_or_path={run.Out("none")}"));
        Assert.Equal(2, code);
        var expected = $"error: adapter_name_or_path: {run.Out("none")} is not an adapter folder (no adapter_config.json): it does not exist";
        Assert.Equal(expected, Assert.Single(errors));
    }

    protected override void Cleanup() => run.Dispose();

    private static (TrainConfig Config, string Text) Complete(TrainConfig config)
    {
        var notes = new StringWriter();
        return (ModelChoice.Complete(config, notes).Config, notes.ToString());
    }

    private TrainConfig Config(string name) => TrainConfig.Load(run.Config, [$"output_dir={run.Out(name)}"], ConfigUse.Any);

    private void Train(string name, params string[] more)
    {
        var (code, errors) = FailureTests.Invoke(run.Train(name, ["max_steps=2", "save_steps=1", .. more]));
        Assert.True(code == 0, string.Join('\n', errors));
    }
}
