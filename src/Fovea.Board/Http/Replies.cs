using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Fovea.Board.Http;

/// <summary>Answers. All have an <c>ETag</c> of their content, so that a page that asks again every second gets 304 until there is news.</summary>
internal static class Replies
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // a loss may be NaN, and is then to be seen
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // read by JSON.parse alone, never as HTML
    };

    public static Task Json(HttpContext context, object value) =>
        Send(context, "application/json; charset=utf-8", JsonSerializer.SerializeToUtf8Bytes(value, Format));

    public static async Task Send(HttpContext context, string type, ReadOnlyMemory<byte> body)
    {
        var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(body.Span).AsSpan(0, 12))}\"";
        context.Response.Headers.ETag = tag;
        if (context.Request.Headers.IfNoneMatch == tag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    public static async Task Problem(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text + "\n"), context.RequestAborted);
    }
}
