using System.CommandLine;
using Fovea.Board;
using Fovea.Board.Http;
using Fovea.Cli.Views;
using Fovea.Launch;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea board</c>: runs in a browser.</summary>
internal static class BoardVerb
{
    private static readonly Argument<string> Folder = new Argument<string>("folder")
    {
        Description = "Runs in it and below it are shown; default: saves.", Arity = ArgumentArity.ZeroOrOne,
    }.IsPath();

    private static readonly Option<int> Port = new("--port") { Description = "Port on 127.0.0.1; 0 takes a free one.", DefaultValueFactory = _ => 8001 };

    private static readonly Option<string?> Serve = new("--serve")
    {
        Description = "Address of a running fovea serve, whose models can then be asked side by side. Its key: FOVEA_API_KEY.",
    };

    private static readonly Option<bool> ReadOnly = new("--read-only") { Description = "Show only: start, stop and resume nothing, and run no other program." };

    public static Command Create()
    {
        var verb = new Command("board", """
            Show runs in a browser, live and past: charts, comparison, settings, samples, memory plan, answers, logs. Start, stop and resume them there.

            For this machine's user alone. Nothing outside the folder is written; runs go on when the board ends.

            Examples:
              fovea board
              fovea board /data/saves --port 9000
              fovea board --read-only    # start nothing
              fovea board --serve http://127.0.0.1:8000    # ask its models, too
              ssh -L 8001:127.0.0.1:8001 machine    # to see another machine's board here, at the address it prints
            """)
        {
            Folder, Port, Serve, ReadOnly,
        };
        verb.SetAction(parsed => Run(
            parsed.GetValue(Folder) ?? "saves", parsed.GetValue(Port), parsed.GetValue(Serve),
            parsed.GetValue(ReadOnly) ? null : new OwnProgram(typeof(BoardVerb).Assembly.Location)).GetAwaiter().GetResult());
        return verb;
    }

    private static async Task<int> Run(string folder, int port, string? serve, OwnProgram? program)
    {
        var access = new BoardAccess();
        using var models = new ModelProxy(serve, Environment.GetEnvironmentVariable(ServeVerb.KeyVariable)?.Split(',')[0]);
        await using var app = BoardHost.Build(
            folder, port, access, models, program, logging => logging.SetMinimumLevel(LogLevel.Warning).AddProvider(new ErrorLog(Console.Error)));
        await app.StartAsync();
        Console.Out.WriteLine($"board of {Path.GetFullPath(folder)}: {access.Url(app.Urls.First())}");
        await app.WaitForShutdownAsync();
        return 0;
    }
}
