using Fovea.Runs.Events;
using Spectre.Console;

namespace Fovea.Cli.Views;

/// <summary>Chooses how a run is shown: live in a terminal, plain lines where output goes to a file, a pipe or a CI log.</summary>
internal static class ConsoleView
{
    public static IEventSink Create()
    {
        var console = AnsiConsole.Console;
        return IsPlain(console) ? new PlainView(Console.Out) : new LiveView(console);
    }

    /// <summary>Whether colours and moving displays are out of place.</summary>
    internal static bool IsPlain(IAnsiConsole console) =>
        Console.IsOutputRedirected
        || !console.Profile.Capabilities.Ansi
        || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI"))
        || Environment.GetEnvironmentVariable("TERM") is "dumb";
}
