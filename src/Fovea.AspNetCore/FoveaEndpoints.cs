using Fovea.AspNetCore.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Fovea.AspNetCore;

/// <summary>Puts OpenAI's interface on an application.</summary>
public static class FoveaEndpoints
{
    /// <summary>
    /// Maps <c>/v1/models</c>, <c>/v1/models/{id}</c>, <c>/v1/chat/completions</c>, <c>/v1/completions</c>, <c>/health</c> and <c>/metrics</c>.
    /// </summary>
    /// <param name="endpoints">The application, or a group of its routes: <c>app.MapGroup("/llm").MapFovea()</c>.</param>
    /// <returns>All of them, for conventions such as CORS policies.</returns>
    public static IEndpointConventionBuilder MapFovea(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var requests = endpoints.ServiceProvider.GetService<Requests>()
            ?? throw new InvalidOperationException("no model is served: call services.AddFovea(folder) first");
        var group = endpoints.MapGroup(string.Empty);
        group.MapGet("/health", requests.Health);
        group.MapGet("/metrics", requests.Metrics);
        group.MapGet("/v1/models", requests.Models);
        group.MapGet("/v1/models/{id}", requests.Model);
        group.MapPost("/v1/chat/completions", requests.Chat);
        group.MapPost("/v1/completions", requests.Complete);
        return group;
    }

    /// <summary>Answers what has no route as OpenAI does.</summary>
    internal static void MapFoveaFallback(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapFallback("{*path}", endpoints.ServiceProvider.GetRequiredService<Requests>().NotFound);
}
