using Fovea.Models;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Training;

/// <summary>Runs over a base in 4 bits end as runs do.</summary>
public sealed class QuantizedBaseTests : NativeTest
{
    private static readonly string[] FourBits = ["quantization_bit=4", "max_steps=4"];
    private readonly TinyRun run = new();

    [Fact]
    public void A_resumed_run_ends_bitwise_as_an_uninterrupted_one_and_not_as_one_over_16_bits()
    {
        Works(run.Train("whole", FourBits));
        Works(run.Train("dense", "max_steps=4"));
        Works(run.Train("other", [.. FourBits, "quantization_type=fp4"]));
        Works(run.Train("single", [.. FourBits, "double_quantization=false"]));
        Works(run.Train("stopped", FourBits));
        File.Delete(Path.Combine(run.Out("stopped"), "adapter_model.safetensors"));
        Directory.Delete(Path.Combine(run.Out("stopped"), "checkpoint-4"), recursive: true);
        Works(run.Train("stopped", [.. FourBits, "resume_from_checkpoint=true"]));
        Assert.Equal(run.Adapter("whole"), run.Adapter("stopped"));
        Assert.NotEqual(run.Adapter("whole"), run.Adapter("dense"));
        Assert.NotEqual(run.Adapter("whole"), run.Adapter("other"));
        Assert.NotEqual(run.Adapter("whole"), run.Adapter("single"));
        Assert.Equal(run.Losses("whole")[0], run.Losses("dense")[0], 0.5);
    }

    [Fact]
    public void It_is_planned_evaluated_asked_and_merged_into_the_bases_own_weights()
    {
        Works(run.Train("out", FourBits));
        Works(["plan", run.Config, .. FourBits]);
        Works(["plan", run.Config, .. FourBits, "--zero", "3"]);
        Works(["eval", run.Config, .. FourBits, $"output_dir={run.Out()}", "max_samples=2"]);
        Works(["export", "--model", TinyRun.Model, "--adapter", run.Out(), "--out", run.Out("merged")]);
        Assert.True(new FileInfo(Path.Combine(run.Out("merged"), "model.safetensors")).Length > 100_000);
    }

    [Theory]
    [InlineData("init_weights=pissa", "pissa")]
    [InlineData("init_weights=olora", "olora")]
    public void An_adapter_that_took_its_part_out_of_the_base_is_refused_and_the_converted_one_is_not(string begin, string name)
    {
        Works(run.Train("out", begin, "pissa_convert=true", "max_steps=1"));
        string[] adapter = [$"adapter_name_or_path={run.Out()}", .. FourBits];
        foreach (var arguments in new[] { run.Train("on", adapter), run.Train("on", [.. adapter, "zero=3"]), ["plan", run.Config, .. adapter] })
        {
            Assert.Contains($"{name} left of the base's own weights", Fails(arguments), StringComparison.Ordinal);
            Assert.Contains("without quantization_bit", Fails(arguments), StringComparison.Ordinal);
        }

        Works(run.Train("on", [$"adapter_name_or_path={run.Out(Path.Combine("out", $"{name}_converted"))}", .. FourBits]));
    }

    [Theory]
    [InlineData("init_weights=pissa", "pissa", true)]
    [InlineData("init_weights=olora", "olora", false)]
    public async Task Whoever_loads_it_over_4_bits_is_told_to_take_the_converted_one_and_that_works(string begin, string name, bool inFiles)
    {
        Works(run.Train("out", begin, "pissa_convert=true", "max_steps=1"));
        var (model, rounds) = (TinyRun.Model, new[] { "quantization_bit=4" });
        if (inFiles)
        {
            (model, rounds) = (run.Out("packed"), []);
            Works(["export", "--model", TinyRun.Model, "--out", model, "export_quantization_bit=4"]);
        }

        string[] Chat(string adapter) =>
            ["chat", run.Config, "output_dir=", "--model", model, "--adapter", adapter, "--prompt", "hi", "--greedy", "--max-new-tokens", "1", .. rounds];
        string[] On(string adapter) => run.Train("on", [$"model_name_or_path={model}", $"adapter_name_or_path={adapter}", "max_steps=1", .. rounds]);
        Task<VisionModel> Own(string adapter) => VisionModel.LoadAsync(
            model, new() { Device = "cpu", Adapter = adapter, FourBit = inFiles ? null : new FourBitRounding() });
        Task<VisionModel> Beside(string adapter) => VisionModel.LoadAsync(model, new()
        {
            Device = "cpu", FourBit = inFiles ? null : new FourBitRounding(), NamedAdapters = new Dictionary<string, string> { ["one"] = adapter },
        });

        List<string> refusals = [Fails(Chat(run.Out())), Fails(On(run.Out()))];
        refusals.AddRange(inFiles ? [Fails(["serve", "--model", model, "--adapter", $"one={run.Out()}", "--cpu", "--port", "0"])] : []);
        foreach (var load in new[] { Own, Beside })
        {
            refusals.Add((await Assert.ThrowsAsync<ConfigException>(() => load(run.Out()))).Message);
        }

        Assert.All(refusals, refusal =>
        {
            Assert.Contains($"{run.Out()} was trained over what {name} left of the base's own weights, and ", refusal, StringComparison.Ordinal);
            Assert.Contains($"give the adapter that pissa_convert: true writes ({name}_converted)", refusal, StringComparison.Ordinal);
        });

        var converted = run.Out(Path.Combine("out", $"{name}_converted"));
        Works(Chat(converted));
        Works(On(converted));

        // A run's own file still says how its adapter began.
        Works([.. Chat(converted)[..2], begin, .. Chat(converted)[2..]]);
        Works([.. On(converted), begin, "overwrite_output_dir=true"]);
        var answers = new List<IReadOnlyList<int>>();
        foreach (var load in new[] { Own, Beside })
        {
            await using var loaded = await load(converted);
            var options = loaded.Generation with { DoSample = false, MaxNewTokens = 6, Adapter = load == Beside ? "one" : null };
            answers.Add((await loaded.AnswerAsync([Message.User("What do you see?")], options)).Generation.Ids);
        }

        Assert.Equal(answers[0], answers[1]);
    }

    [Fact]
    public void What_it_does_not_go_with_is_refused_by_its_key()
    {
        var config = TrainConfig.Load(run.Config, ["quantization_bit=4", $"output_dir={run.Out()}"]);
        config = config with { Tuning = config.Tuning with { FinetuningType = FinetuningType.Full } };
        var error = Assert.Throws<ConfigException>(() => FourBitChecks.Check(config, ModelSource.Open(TinyRun.Model)));
        Assert.Contains("quantization_bit: 4 keeps frozen weights in 4 bits", error.Message, StringComparison.Ordinal);
    }

    protected override void Cleanup() => run.Dispose();

    private static string Fails(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.NotEqual(0, code);
        return string.Join('\n', errors);
    }

    private static void Works(string[] arguments)
    {
        var (code, errors) = FailureTests.Invoke(arguments);
        Assert.True(code == 0, string.Join('\n', errors));
    }
}
