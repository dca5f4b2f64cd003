using System.Net;
using Fovea.Board.Http;
using Fovea.Board.Runs;
using Fovea.Board.Work;
using Fovea.Launch;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fovea.Board;

/// <summary>What <c>fovea board</c> runs: pages about the runs below a folder, for this machine's user alone. Nothing outside it is written.</summary>
internal static class BoardHost
{
    private const int MostConnections = 256;

    /// <param name="folder">Runs are looked for in it and below it; the pages on runs read nothing outside.</param>
    /// <param name="port">0 takes one that is free.</param>
    /// <param name="access">Who may look.</param>
    /// <param name="models">The model server that may be asked.</param>
    /// <param name="program">Starts runs, and reads their data; null for a board that only shows.</param>
    /// <param name="logging">Where logs go; null for nowhere.</param>
    /// <exception cref="ConfigException">There is no such folder, or the port is none.</exception>
    public static WebApplication Build(
        string folder, int port, BoardAccess access, ModelProxy? models = null, OwnProgram? program = null, Action<ILoggingBuilder>? logging = null)
    {
        if (port is < 0 or > 65535)
        {
            throw new ConfigException($"port {port}: must be from 0 (any that is free) to 65535");
        }

        var files = new RootedFolder(folder);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "fovea" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = ModelProxy.MostBytes;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();

        // A page whose name was made to point here is not this machine's user.
        builder.Services.Configure<HostFilteringOptions>(of => of.AllowedHosts = ["localhost", "127.0.0.1"]);
        logging?.Invoke(builder.Logging);
        var app = builder.Build();
        app.UseHostFiltering();
        app.Use(access.Check);
        app.UseRouting();
        foreach (var file in WebFile.All)
        {
            app.MapGet(file.Path, file.Send);
        }

        var (runs, jobs) = (new RunList(files), program is null ? null : new JobList(files, program));
        new BoardApi(files, runs, jobs).Map(app);
        (models ?? new ModelProxy(null, null)).Map(app, access.Page);
        if (jobs is not null)
        {
            var work = new WorkApi(files, runs, jobs, program!);
            app.Lifetime.ApplicationStopped.Register(work.Dispose);
            work.Map(app, access.Page);
        }

        app.MapFallback(context => Replies.Problem(context, StatusCodes.Status404NotFound, "there is no such page"));
        return app;
    }
}
