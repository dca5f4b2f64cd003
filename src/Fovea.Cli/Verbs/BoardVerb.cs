using System.CommandLine;
using Fovea.Board;
using Fovea.Board.Http;
using Fovea.Cli.Views;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea board</c>: runs in a browser.</summary>
internal static class BoardVerb
{
    private static readonly Argument<string> Folder = new Argument<string>("folder")
    {
        Description = "Runs in it and below it are shown.", DefaultValueFactory = _ => "saves",
    }.IsPath();

    private static readonly Option<int> Port = new("--port") { Description = "Port on 127.0.0.1; 0 takes a free one.", DefaultValueFactory = _ => 8001 };

    public static Command Create()
    {
        var verb = new Command("board", """
            Show runs in a browser, live and past: charts, comparison, settings, answers, logs. For this machine's user alone; nothing is changed.

            Examples:
              fovea board
              fovea board /data/saves --port 9000
              ssh -L 8001:127.0.0.1:8001 machine    # to see another machine's board here, at the address it prints
            """)
        {
            Folder, Port,
        };
        verb.SetAction(parsed => Run(parsed.GetValue(Folder)!, parsed.GetValue(Port)).GetAwaiter().GetResult());
        return verb;
    }

    private static async Task<int> Run(string folder, int port)
    {
        var access = new BoardAccess();
        await using var app = BoardHost.Build(
            folder, port, access, logging => logging.SetMinimumLevel(LogLevel.Warning).AddProvider(new ErrorLog(Console.Error)));
        await app.StartAsync();
        Console.Out.WriteLine($"board of {Path.GetFullPath(folder)}: {access.Url(app.Urls.First())}");
        await app.WaitForShutdownAsync();
        return 0;
    }
}
