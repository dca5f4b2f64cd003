using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fovea.AspNetCore;

/// <summary>Loads the model behind an application that runs already, and lets answers end before it goes.</summary>
internal sealed partial class LoadedServer(
    FoveaOptions options, IHostApplicationLifetime lifetime, ILogger<LoadedServer> logger, ILoggerFactory loggers)
    : IHostedService, IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private Task<ModelServer>? loading;

    /// <summary>The model, loaded or being loaded.</summary>
    public Task<ModelServer> Loading => loading ?? throw new InvalidOperationException("the application has not started");

    /// <summary>What is loaded; null until then, and when it failed.</summary>
    public ModelServer? Server => loading is { IsCompletedSuccessfully: true } ? loading.Result : null;

    /// <summary>Why requests are not answered now; null where they are.</summary>
    public string? Unready => lifetime.ApplicationStopping.IsCancellationRequested ? "the server is shutting down"
        : Server is not null ? null
        : loading is { IsFaulted: true } ? "the model could not be loaded"
        : "the model is being loaded";

    public Task StartAsync(CancellationToken cancellationToken)
    {
        loading = Task.Run(Load, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stop.CancelAsync().ConfigureAwait(false);
        if (await Loaded().ConfigureAwait(false) is { } server)
        {
            using var last = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            last.CancelAfter(options.DrainTime);
            try
            {
                await server.DrainAsync(last.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                LogCut(options.DrainTime);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (await Loaded().ConfigureAwait(false) is { } server)
        {
            await server.DisposeAsync().ConfigureAwait(false);
        }

        stop.Dispose();
    }

    /// <summary>The model, for code that cannot await it.</summary>
    public ModelServer Wait() => Loading.GetAwaiter().GetResult();

    private async Task<ModelServer> Load()
    {
        try
        {
            var model = options.Model.Notices is null ? options.Model with { Notices = LogNotice } : options.Model;
            var limits = options.Limits.Logger is null ? options.Limits with { Logger = loggers.CreateLogger<ModelServer>() } : options.Limits;
            return await ModelServer.LoadAsync(options.Folder, model, limits, stop.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFailed(e);
            throw;
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whoever asked for the model has been told why it did not load.")]
    private async Task<ModelServer?> Loaded()
    {
        try
        {
            return loading is null ? null : await loading.ConfigureAwait(false);
        }
        catch (Exception)
        {
            return null;
        }
    }

    [LoggerMessage(LogLevel.Information, "{Notice}")]
    private partial void LogNotice(string notice);

    [LoggerMessage(LogLevel.Critical, "the model could not be loaded")]
    private partial void LogFailed(Exception e);

    [LoggerMessage(LogLevel.Warning, "answers that were not complete after {Time} are cut off")]
    private partial void LogCut(TimeSpan time);
}
