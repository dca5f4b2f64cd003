using Fovea.Cli.Demo;
using Fovea.Events;
using Fovea.Runs.Events;
using Spectre.Console;

namespace Fovea.Tests.Unit.Demo;

/// <summary>The demonstration from beginning to end, so small that nothing is learnt; what it learns is shown by the command itself.</summary>
public sealed class DemoRunTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-demo").FullName;

    [Fact]
    public void Everything_is_made_and_the_output_says_where()
    {
        var (result, text) = Run();
        Holds(".", "demo_base.yaml", "demo_lora.yaml");
        Holds("data", "dataset_info.json", "demo_pictures.json", "demo_fruit.json");
        Holds(Path.Combine("data", "images"), "train_0000.png", "held_out_0003.png");
        Holds("blank", "config.json", "model.safetensors", "tokenizer.json");
        Holds("base", "config.json", "model.safetensors", "tokenizer.json", "training_loss.svg", "training_loss.png");
        Holds("adapter", "adapter_config.json", "adapter_model.safetensors", "trainer_log.jsonl", "training_loss.svg");
        Assert.Equal(4, result.Answers.Count);
        Assert.InRange(result.FruitAfter, 0, 100);
        Assert.Contains($"./fovea chat --model {Path.Combine(Out, "base")} --adapter {Path.Combine(Out, "adapter")}", text);
        Assert.Contains($"answer: {result.Answers[0].Answer}", text);
        for (var stage = 1; stage <= 5; stage++)
        {
            Assert.Contains($"{stage}/5 ", text);
        }
    }

    [Fact]
    public void A_second_demonstration_replaces_the_first_and_leaves_other_files_alone()
    {
        Run();
        File.WriteAllText(Path.Combine(Out, "mine.txt"), "keep");
        File.WriteAllText(Path.Combine(Out, "data", "old.txt"), "old");
        Run();
        Assert.Equal("keep", File.ReadAllText(Path.Combine(Out, "mine.txt")));
        Assert.False(File.Exists(Path.Combine(Out, "data", "old.txt")));
    }

    [Fact]
    public void A_folder_of_something_else_is_refused_and_not_touched()
    {
        Directory.CreateDirectory(Path.Combine(Out, "data"));
        File.WriteAllText(Path.Combine(Out, "data", "mine.txt"), "keep");
        var e = Assert.Throws<ConfigException>(() => Run());
        Assert.Contains(Out, e.Message);
        Assert.Equal("keep", File.ReadAllText(Path.Combine(Out, "data", "mine.txt")));
    }

    [Fact]
    public void Stopping_ends_the_demonstration_at_once()
    {
        using var stop = new CancellationTokenSource();
        var sink = new StopAtOnce(stop);
        Assert.Throws<OperationCanceledException>(() => Run([sink], stop.Token));
        Assert.False(Directory.Exists(Path.Combine(Out, "adapter")));
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private string Out => Path.Combine(folder, "out");

    private void Holds(string part, params string[] files) =>
        Assert.All(files, file => Assert.True(File.Exists(Path.Combine(Out, part, file)), file));

    private (DemoResult Result, string Text) Run(IEventSink[]? sinks = null, CancellationToken stop = default)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(text) });
        var options = new DemoOptions
        {
            Output = Out, Pictures = 20, FruitPictures = 8, HeldOut = 4, BaseEpochs = 1, AdapterEpochs = 1, BatchSize = 8,
            BaseLoggingSteps = 1, AdapterLoggingSteps = 1,
        };
        var result = new DemoRun(options, new DemoView(console), () => sinks ?? [], stop).Run();
        return (result, text.ToString());
    }

    private sealed class StopAtOnce(CancellationTokenSource stop) : IEventSink
    {
        public void Write(RunEvent e)
        {
            if (e is StepDone)
            {
                stop.Cancel();
            }
        }
    }
}
