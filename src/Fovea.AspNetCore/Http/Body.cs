using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Fovea.AspNetCore.Http;

/// <summary>The JSON of a request, within its limits.</summary>
internal sealed class Body : IDisposable
{
    // What no client sends by accident is told at once: a key that stands twice may mean two things to two readers.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };
    private readonly JsonDocument json;
    private readonly IDisposable share;

    private Body(JsonDocument json, IDisposable share) => (this.json, this.share) = (json, share);

    public JsonElement Json => json.RootElement;

    /// <exception cref="ApiException">It is too large, no JSON, or declared as something else.</exception>
    public static async Task<Body> Read(HttpContext context, long most, BodyBudget budget, CancellationToken cancel)
    {
        var request = context.Request;
        if (!request.HasJsonContentType())
        {
            throw new ApiException(StatusCodes.Status415UnsupportedMediaType, "unsupported_media_type", "the content type must be application/json");
        }

        // The server would end the connection at once, and many clients never see why.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        if (request.ContentLength > most)
        {
            throw TooLarge(most);
        }

        var share = budget.Take(request.ContentLength ?? most);
        try
        {
            var bounded = new BoundedStream(request.Body, most, () => TooLarge(most));
            return new Body(await JsonDocument.ParseAsync(bounded, Strict, cancel).ConfigureAwait(false), share);
        }
        catch (Exception e)
        {
            share.Dispose();
            throw e switch
            {
                JsonException => new ApiException(StatusCodes.Status400BadRequest, "invalid_json", $"the body is not valid JSON: {Reason(e)}"),
                _ => e,
            };
        }
    }

    public void Dispose()
    {
        json.Dispose();
        share.Dispose();
    }

    // The message quotes what it found, up to any length.
    private static string Reason(Exception e) => e.Message.Length <= 200 ? e.Message : e.Message[..200];

    private static ApiException TooLarge(long most) =>
        new(StatusCodes.Status413PayloadTooLarge, "request_too_large", $"the body of the request has more than {most} bytes");
}
