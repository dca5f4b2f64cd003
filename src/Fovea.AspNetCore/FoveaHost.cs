using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.HostFiltering;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fovea.AspNetCore;

/// <summary>An application that serves a model and does nothing else: what <c>fovea serve</c> runs.</summary>
internal static class FoveaHost
{
    private const int MostConnections = 1024;

    /// <param name="options">What is served.</param>
    /// <param name="host">An address of this machine, or <c>localhost</c>; <c>0.0.0.0</c> is all of them.</param>
    /// <param name="port">0 takes one that is free.</param>
    /// <param name="cors">Origins of pages that may ask; <c>*</c> is all.</param>
    /// <param name="logging">Where logs go; null for nowhere.</param>
    /// <exception cref="ConfigException">An option cannot be used, or strangers could ask without a key.</exception>
    public static WebApplication Build(
        FoveaOptions options, string host, int port, IReadOnlyList<string> cors, Action<ILoggingBuilder>? logging = null)
    {
        var address = AddressOf(host);
        if (port is < 0 or > 65535)
        {
            throw new ConfigException($"port {port}: must be from 0 (any that is free) to 65535");
        }

        if (options.ApiKeys.Count == 0 && !IPAddress.IsLoopback(address))
        {
            throw new ConfigException(
                $"{host} can be reached from other machines, and no API key is set: give --api-key KEY (or FOVEA_API_KEY), or serve on 127.0.0.1");
        }

        // A line that ends in a line feed alone may end elsewhere for a proxy in front.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);

        // Nothing is read from files or variables of the environment that belong to other programs.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "fovea" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = MostConnections;
            kestrel.Listen(address, port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddCors();
        builder.Services.AddFovea(options);
        builder.Services.Configure<HostOptions>(of => of.ShutdownTimeout = options.DrainTime + TimeSpan.FromSeconds(5));
        builder.Services.Configure<HostFilteringOptions>(of => of.AllowedHosts = ["localhost", "127.0.0.1", "[::1]", Written(address)]);
        logging?.Invoke(builder.Logging);
        var app = builder.Build();
        if (options.ApiKeys.Count == 0)
        {
            // A page whose name was made to point here is not this machine's user.
            app.UseHostFiltering();
        }

        app.UseRouting();
        if (cors.Count > 0)
        {
            app.UseCors(policy => policy.WithOrigins([.. cors]).AllowAnyHeader().AllowAnyMethod().WithExposedHeaders("x-request-id", "retry-after"));
        }

        app.MapFovea();
        app.MapFoveaFallback();
        return app;
    }

    // As it stands in a URL.
    private static string Written(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : $"{address}";

    private static IPAddress AddressOf(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback
        : IPAddress.TryParse(host.Trim('[', ']'), out var address) ? address
        : throw new ConfigException($"host {host}: give an address of this machine, for instance 127.0.0.1 or 0.0.0.0");
}
