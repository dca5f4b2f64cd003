using Fovea.AspNetCore.Http;
using Fovea.AspNetCore.Media;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Fovea.AspNetCore;

/// <summary>Adds a served model to an application.</summary>
public static class FoveaServices
{
    /// <summary>
    /// Serves a model: it is loaded when the application starts, which does not wait for it. <see cref="ModelServer"/> is a service from then on; whoever asks
    /// for it earlier waits until it is loaded.
    /// </summary>
    /// <param name="services">The application's.</param>
    /// <param name="folder">A Hugging Face model folder of a supported family.</param>
    /// <param name="configure">Adapters, keys, limits.</param>
    public static IServiceCollection AddFovea(this IServiceCollection services, string folder, Action<FoveaOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = new FoveaOptions { Folder = folder };
        configure?.Invoke(options);
        return services.AddFovea(options);
    }

    internal static IServiceCollection AddFovea(this IServiceCollection services, FoveaOptions options)
    {
        options.Check();
        services.AddMetrics();
        services.AddSingleton(options);
        services.AddSingleton<LoadedServer>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<LoadedServer>());
        services.AddSingleton(provider => provider.GetRequiredService<LoadedServer>().Wait());
        services.AddSingleton(new ApiKeys(options.ApiKeys));
        services.AddSingleton(new BodyBudget(options.MaxBodiesBytes));
        services.AddSingleton(_ => new MediaReader(options));
        services.AddSingleton<MetricsText>();
        services.AddSingleton<Requests>();
        return services;
    }
}
