using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Fovea.Board.Http;

/// <summary>
/// Lets in who has the token: once in the URL that is printed, from then on in a cookie that scripts and other sites do not get. Says in every answer what a
/// browser may do with it.
/// </summary>
internal sealed class BoardAccess
{
    private const string Parameter = "token";

    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

    private readonly byte[] token;

    /// <param name="token">Null for a new one.</param>
    public BoardAccess(string? token = null)
    {
        Token = token ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        this.token = Encoding.UTF8.GetBytes(Token);
    }

    public string Token { get; }

    /// <summary>What the board's own pages may send.</summary>
    public OwnPage Page { get; } = new();

    /// <summary>What to open in a browser.</summary>
    /// <param name="address">Where the board listens.</param>
    public string Url(string address) => $"{address}/?{Parameter}={Token}";

    public async Task Check(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-cache, private";

        // Several boards on one machine share their cookies, not their tokens.
        var cookie = string.Create(CultureInfo.InvariantCulture, $"fovea-board-{context.Connection.LocalPort}");
        if (!HttpMethods.IsGet(context.Request.Method) && !Page.Sends(context.Request))
        {
            headers.Allow = HttpMethods.Get;
            await Replies.Problem(context, StatusCodes.Status405MethodNotAllowed, "the board shows, and does what its own pages ask for; nothing else");
        }
        else if (context.Request.Path == "/" && context.Request.Query[Parameter] is [{ } given])
        {
            if (!Is(given))
            {
                await Refuse(context);
                return;
            }

            // The page takes the token out of the address bar. No redirect: a link on another page would come without the strict cookie.
            context.Response.Cookies.Append(cookie, Token, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
            await next(context);
        }
        else if (context.Request.Cookies[cookie] is { } kept && Is(kept))
        {
            await next(context);
        }
        else
        {
            await Refuse(context);
        }
    }

    private static Task Refuse(HttpContext context) => Replies.Problem(
        context, StatusCodes.Status401Unauthorized, "open the address that fovea board has printed, with its token");

    private bool Is(string given) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), token);
}
