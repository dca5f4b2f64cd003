using Fovea.Cli.Views;
using Fovea.Events;
using Fovea.Runs.Events;
using Spectre.Console;

namespace Fovea.Tests.Unit.Runs;

public sealed class ConsoleViewTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void Redirected_output_is_one_plain_line_a_log_event()
    {
        var output = new StringWriter { NewLine = "\n" };
        Play(new PlainView(output));

        Assert.Equal(
            """
            model    models/base (qwen2_5_vl) on cpu, bf16
            trains   20,185,088 of 8,312,351,744 parameters (0.2428 %)
            data     172 samples, 8 a step
            steps    44 (2 epochs)
            output   out
            note: trust_remote_code is ignored: no code from a model folder is ever run
            {'loss': 1.2346, 'grad_norm': 0.5000, 'learning_rate': 5.0000e-05, 'epoch': 0.45} 10/44 [0:00:20<0:01:08, 1,500 tokens/s, 2.0 GiB]
            sample left out: demo row 3: [a/b.png] cannot be read
            {'eval_loss': 1.5000, 'eval_runtime': 2.00, 'epoch': 0.91}
            saved out/checkpoint-20
            steps      44 (2 epochs)
            mean loss  1.2
            time       0:01:28
            speed      3.91 samples/s, 1,364 tokens/s
            memory     3.0 GiB
            left out   1 sample, named in running_log.txt
            adapter    out/adapter_model.safetensors

            """,
            output.ToString());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(12)]
    [InlineData(20)]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(200)]
    public void The_live_view_survives_any_width_and_ends_with_the_paths(int width)
    {
        var text = Live(width, Play);
        Assert.Contains("\u001b[?25h", text);
        if (width >= 40)
        {
            Assert.Contains("out/adapter_model.safetensors", text);
            Assert.Contains("44/44", text);
        }
    }

    [Theory]
    [InlineData(60)]
    [InlineData(100)]
    [InlineData(180)]
    public void What_the_live_view_prints_stands_alone_on_its_lines(int width)
    {
        var screen = new Screen(Live(width, view =>
        {
            Play(view);
            view.Write(Started);
            view.Write(new StepDone(7, 44, 1.2) { Time = Start });
            view.Write(new Warning($"first {new string('x', width)}") { Time = Start });
        })).Lines;

        Assert.Single(screen, "saved out/checkpoint-20");
        Assert.Single(screen, "{'eval_loss': 1.5000, 'eval_runtime': 2.00, 'epoch': 0.91}");
        Assert.Single(screen, "sample left out: demo row 3: [a/b.png] cannot be read");
        Assert.Single(screen, line => line.Contains("44/44", StringComparison.Ordinal));

        // A long line breaks; the bar and the numbers are below it, once.
        var warning = screen.ToList().IndexOf("warning: first");
        Assert.True(warning >= 0, string.Join('\n', screen));
        Assert.Equal(new string('x', width), screen[warning + 1]);
        Assert.Contains("7/44", screen[warning + 2], StringComparison.Ordinal);
        Assert.Single(screen, line => line.Contains(" 7/44", StringComparison.Ordinal));
    }

    [Fact]
    public void A_flood_of_bad_samples_is_counted_instead_of_printed()
    {
        var output = new StringWriter { NewLine = "\n" };
        var view = new PlainView(output);
        for (var row = 0; row < 100; row++)
        {
            view.Write(new SampleSkipped("demo", row, "broken", "left out"));
        }

        var lines = output.ToString().TrimEnd().Split('\n');
        Assert.Equal(21, lines.Length);
        Assert.Equal("more samples could not be used; running_log.txt names them all", lines[^1]);
    }

    [Fact]
    public void An_interrupted_run_says_how_to_go_on()
    {
        var output = new StringWriter { NewLine = "\n" };
        new PlainView(output).Write(new RunInterrupted(7, "Ctrl-C", "out/checkpoint-7", "fovea train c.yaml resume_from_checkpoint=true"));

        Assert.Equal("stopped after step 7 (Ctrl-C)\nsaved    out/checkpoint-7\ngo on    fovea train c.yaml resume_from_checkpoint=true\n", output.ToString());
    }

    [Fact]
    public void Neither_line_of_the_display_is_ever_wider_than_the_terminal()
    {
        var progress = new RunProgress();
        progress.Take(Started);
        progress.Take(new StepLogged(10, 44, 1.2345678, 0.5, 5e-5, 0.45) { Time = Start.AddSeconds(20), TokensPerSecond = 1500, MemoryBytes = 2L << 30 });

        for (var width = 0; width <= 120; width++)
        {
            var (done, left, label) = ProgressText.Bar(progress, width);
            Assert.InRange(done.Length + left.Length + label.Length, 0, width);
            Assert.InRange(ProgressText.Details(progress, width).Length, 0, width);
        }

        Assert.Equal(" 10/44  23 %  0:01:08 left", ProgressText.Bar(progress, 100).Label);
        Assert.Equal("loss 1.2346 · lr 5.0e-05 · 1,500 tokens/s · 2.0 GiB · 0:00:20 elapsed", ProgressText.Details(progress, 100));
    }

    /// <summary>What a terminal receives from the live view.</summary>
    private static string Live(int width, Action<IEventSink> play)
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            Interactive = InteractionSupport.Yes,
            ColorSystem = ColorSystemSupport.NoColors,
            Out = new AnsiConsoleOutput(output),
        });
        console.Profile.Width = width;
        using (var view = new LiveView(console))
        {
            play(view);
        }

        return output.ToString();
    }

    private static RunStarted Started => new()
    {
        Time = Start,
        OutputDir = "out",
        Model = "models/base",
        Family = "qwen2_5_vl",
        Device = "cpu, bf16",
        TrainableParameters = 20_185_088,
        AllParameters = 8_312_351_744,
        Samples = 172,
        SamplesPerStep = 8,
        TotalSteps = 44,
        Epochs = 2,
    };

    private static void Play(IEventSink view)
    {
        view.Write(Started);
        view.Write(new Notice("trust_remote_code is ignored: no code from a model folder is ever run") { Time = Start });
        for (var step = 1; step <= 44; step++)
        {
            var now = Start.AddSeconds(2 * step);
            view.Write(new StepDone(step, 44, 1.2) { Time = now, TokensPerSecond = 1400, MemoryBytes = 2L << 30 });
            if (step == 10)
            {
                view.Write(new StepLogged(10, 44, 1.23456, 0.5, 5e-5, 0.454) { Time = now, TokensPerSecond = 1500, MemoryBytes = 2L << 30 });
                view.Write(new SampleSkipped("demo", 3, "[a/b.png] cannot be read", "left out") { Time = now });
            }
            else if (step == 20)
            {
                view.Write(new Evaluated(20, 44, 0.909, 1.5, 2, 8, 8) { Time = now });
                view.Write(new CheckpointSaved(20, "out/checkpoint-20") { Time = now });
            }
        }

        view.Write(new RunFinished(44, 2, 1.2, 88)
        {
            Time = Start.AddSeconds(88),
            SamplesTrained = 344,
            TotalTokens = 120_000,
            PeakMemoryBytes = 3L << 30,
            Paths = [KeyValuePair.Create("adapter", "out/adapter_model.safetensors")],
        });
    }
}
