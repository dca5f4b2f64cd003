using System.CommandLine;
using System.Runtime.InteropServices;
using Fovea.Cli.Demo;
using Fovea.Cli.Views;
using Spectre.Console;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea demo</c></summary>
public static class DemoVerb
{
    private const int InterruptedExitCode = 130;

    public static Command Create()
    {
        var plain = new DemoOptions();
        var output = new Option<string>("--output") { Description = "Folder for everything that is made", DefaultValueFactory = _ => plain.Output };
        var seed = new Option<int>("--seed") { Description = "Decides pictures, first weights and order", DefaultValueFactory = _ => plain.Seed };
        var command = new Command(
            "demo",
            """
            Show everything at once: draw pictures of coloured shapes, train a small Qwen2.5-VL from random weights to describe them, teach it a new
            question with LoRA, and ask it about pictures that it never saw. Takes a few minutes on two cores and needs no network.

            Ends with exit code 1 if the accuracies have not risen far above chance.
            """)
        {
            output, seed,
        };
        command.SetAction(result => Run(plain with { Output = result.GetValue(output)!, Seed = result.GetValue(seed) }));
        return command;
    }

    private static int Run(DemoOptions options)
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
            var result = new DemoRun(options, new DemoView(Terminal()), () => [ConsoleView.Create()], stop.Token).Run();
            var failures = result.Failures(options.RequiredGain).ToList();
            foreach (var failure in failures)
            {
                Console.Error.WriteLine($"error: {failure}");
            }

            return failures.Count == 0 ? 0 : 1;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Console.Error.WriteLine("\nstopped; './fovea demo' begins anew");
            return InterruptedExitCode;
        }
    }

    private static IAnsiConsole Terminal() => ConsoleView.IsPlain(AnsiConsole.Console)
        ? AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors })
        : AnsiConsole.Console;
}
