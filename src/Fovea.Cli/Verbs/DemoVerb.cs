using System.CommandLine;
using System.Runtime.InteropServices;
using Fovea.Cli.Demo;
using Fovea.Cli.Views;
using Spectre.Console;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea demo</c></summary>
internal static class DemoVerb
{
    private const int InterruptedExitCode = 130;

    public static Command Create()
    {
        var plain = new DemoOptions();
        var output = new Option<string>("--output") { Description = "Output folder", DefaultValueFactory = _ => plain.Output }.IsPath();
        var seed = new Option<int>("--seed") { Description = "Random seed of images, initial weights and order", DefaultValueFactory = _ => plain.Seed };
        var stages = new Option<bool>("--minimind") { Description = "MiniMind-V's two stages from a random language model instead (docs/minimind-v.md)" };
        var command = new Command(
            "demo",
            """
            Run everything end to end on generated images: train a small model, fine-tune it with LoRA, evaluate it.

            Generates images of coloured shapes, trains a small Qwen2.5-VL from random weights to describe them, teaches it a new question with LoRA,
            and asks it about images it has never seen. Takes a few minutes on two cores and needs no network.

            Exits with code 1 if the accuracies have not risen far above chance.
            """)
        {
            output, seed, stages,
        };
        command.SetAction(result =>
        {
            var options = plain with { Output = result.GetValue(output)!, Seed = result.GetValue(seed) };
            return result.GetValue(stages) ? Guarded(stop => RunStages(options, stop)) : Guarded(stop => Run(options, stop));
        });
        return command;
    }

    private static int Guarded(Func<CancellationToken, int> run)
    {
        using var stop = new CancellationTokenSource();
        void Stop(PosixSignalContext signal)
        {
            // The first signal asks; a second one ends the process as usual.
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            return run(stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Console.Error.WriteLine($"\nstopped; '{StartedAs.Command} demo' begins anew");
            return InterruptedExitCode;
        }
    }

    private static int Run(DemoOptions options, CancellationToken stop)
    {
        var result = new DemoRun(options, new DemoView(Terminal()), () => [ConsoleView.Create()], stop).Run();
        return Tell(result.Failures(options.RequiredGain));
    }

    private static int RunStages(DemoOptions options, CancellationToken stop)
    {
        var small = options with { Pictures = 3000, BaseEpochs = 2, AdapterEpochs = 4, Output = Stages(options.Output) };
        var results = new StagesRun(small, Console.Out, () => [ConsoleView.Create()], stop).Run();
        var (describe, fruit) = (results[0], results[1]);
        return Tell(new[]
        {
            (Holds: describe.Pretrained > describe.Blank + 5, Text: "descriptions did not improve in the first stage"),
            (Holds: describe.Tuned > describe.Pretrained + 2, Text: "descriptions did not improve in the second stage"),
            (Holds: fruit.Tuned > fruit.Task.Chance + options.RequiredGain, Text: "the second stage did not teach the new question"),
        }.Where(check => !check.Holds).Select(check => check.Text));
    }

    private static string Stages(string output) => output == DemoOptions.DefaultOutput ? "output/minimind-demo" : output;

    private static int Tell(IEnumerable<string> failures)
    {
        var all = failures.ToList();
        all.ForEach(failure => Console.Error.WriteLine($"error: {failure}"));
        return all.Count == 0 ? 0 : 1;
    }

    private static IAnsiConsole Terminal() => ConsoleView.IsPlain(AnsiConsole.Console)
        ? AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors })
        : AnsiConsole.Console;
}
