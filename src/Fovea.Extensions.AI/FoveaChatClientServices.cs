using Fovea;
using Fovea.Extensions.AI;
using Microsoft.Extensions.AI;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds a model, and chat clients over it, to an application's services.</summary>
public static class FoveaChatClientServices
{
    /// <summary>
    /// Adds a <see cref="ModelServer"/>, loaded by the first who asks for it (who waits). Where Fovea.AspNetCore's <c>AddFovea</c> serves the model over HTTP
    /// too, this call is not needed: the chat clients share its server.
    /// </summary>
    /// <param name="services">The application's.</param>
    /// <param name="folder">A Hugging Face model folder of a supported family.</param>
    /// <param name="model">Adapters, device, element type and so on.</param>
    /// <param name="server">Limits.</param>
    public static IServiceCollection AddFoveaModel(
        this IServiceCollection services, string folder, VisionModelOptions? model = null, ModelServerOptions? server = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return services.AddSingleton(_ => Task.Run(() => ModelServer.LoadAsync(folder, model, server)).GetAwaiter().GetResult());
    }

    /// <summary>Adds an <see cref="IChatClient"/> over the application's <see cref="ModelServer"/>.</summary>
    /// <param name="services">The application's.</param>
    /// <param name="adapter">The adapter that answers; null for the model as it was loaded.</param>
    /// <returns>Takes what goes around it: <c>UseFunctionInvocation</c>, <c>UseOpenTelemetry</c>, caches and so on.</returns>
    public static ChatClientBuilder AddFoveaChatClient(this IServiceCollection services, string? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return services.AddChatClient(provider => provider.GetRequiredService<ModelServer>().AsIChatClient(adapter));
    }

    /// <summary>Adds an <see cref="IChatClient"/> under a key, so that each adapter can have its own.</summary>
    /// <param name="services">The application's.</param>
    /// <param name="serviceKey">What <c>[FromKeyedServices]</c> names it with.</param>
    /// <param name="adapter">The adapter that answers; null for the model as it was loaded.</param>
    /// <returns>Takes what goes around it.</returns>
    public static ChatClientBuilder AddKeyedFoveaChatClient(this IServiceCollection services, object serviceKey, string? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return services.AddKeyedChatClient(serviceKey, provider => provider.GetRequiredService<ModelServer>().AsIChatClient(adapter));
    }
}
