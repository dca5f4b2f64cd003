using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Fovea.Hub.Http;

/// <summary>
/// Requests to one hub: redirects are followed here, with the token only where the hub itself is asked, and what is likely to pass is asked again after a
/// pause that grows, or that the server names.
/// </summary>
internal sealed class HubHttp : IDisposable
{
    private const int MostRedirects = 10;
    private const int MostTries = 5;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private readonly HttpClient client;
    private readonly Uri endpoint;
    private readonly TimeSpan patience;
    private readonly Action<HttpRequestMessage> identify;
    private readonly Func<TimeSpan, CancellationToken, Task> pause;

    /// <param name="endpoint">The hub: scheme, host and port to which the token belongs.</param>
    /// <param name="identify">Adds the token to a request for the hub.</param>
    /// <param name="patience">How long a server may be silent.</param>
    /// <param name="pause">Waits; tests do not.</param>
    public HubHttp(Uri endpoint, Action<HttpRequestMessage> identify, TimeSpan patience, Func<TimeSpan, CancellationToken, Task>? pause = null)
    {
        (this.endpoint, this.identify, this.patience, this.pause) = (endpoint, identify, patience, pause ?? Task.Delay);
        client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = patience,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        var version = typeof(HubHttp).Assembly.GetName().Version;
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("fovea", version?.ToString(3)));
    }

    /// <summary>How long a server may be silent.</summary>
    public TimeSpan Patience => patience;

    public void Dispose() => client.Dispose();

    /// <summary>Whether an address is the hub's own.</summary>
    public bool IsHub(Uri address) => Uri.Compare(
        address, endpoint, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>Asks until there is an answer that will not change by asking again; the caller disposes it.</summary>
    /// <param name="make">A new request for each try.</param>
    /// <param name="patient">Whether a hub that cannot be reached at all is worth a second try: not where a cache can stand for it.</param>
    /// <param name="slow">Whether the request has a long body, so that the answer takes as long as it takes.</param>
    /// <exception cref="HubException">No server answered.</exception>
    public async Task<HttpResponseMessage> Ask(Func<HttpRequestMessage> make, CancellationToken cancel, bool patient = true, bool slow = false)
    {
        for (var tries = 1; ; tries++)
        {
            HttpResponseMessage? response = null;
            Exception? failure = null;
            try
            {
                response = await Once(make, cancel, slow).ConfigureAwait(false);
                if (!IsPassing(response.StatusCode) || tries == MostTries)
                {
                    return response;
                }
            }
            catch (Exception e) when (IsFailure(e, cancel))
            {
                failure = e;
            }

            if (failure is not null && (tries == MostTries || (!patient && IsAbsent(failure))))
            {
                throw Unreachable(failure);
            }

            using (response)
            {
                await Pause(tries, response, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>One request, redirects followed, without a second try.</summary>
    public async Task<HttpResponseMessage> Once(Func<HttpRequestMessage> make, CancellationToken cancel, bool slow = false)
    {
        Uri? address = null;
        for (var redirects = 0; ; redirects++)
        {
            var request = make();
            address ??= request.RequestUri!;
            request.RequestUri = address;
            if (IsHub(address))
            {
                identify(request);
            }

            using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            silence.CancelAfter(slow ? Timeout.InfiniteTimeSpan : patience);
            HttpResponseMessage response;
            try
            {
                response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
            {
                throw new TimeoutException($"no answer within {patience.TotalSeconds:0} seconds", e);
            }

            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return response;
            }

            using (response)
            {
                if (redirects == MostRedirects)
                {
                    throw new HubException(HubFault.Refused, $"{endpoint.Host}: more than {MostRedirects} redirects");
                }

                var next = new Uri(address, location);
                address = next.Scheme == address.Scheme || next.Scheme == Uri.UriSchemeHttps
                    ? next
                    : throw new HubException(HubFault.Refused, $"{endpoint.Host} leads from {address.Scheme} to {next.Scheme}, which is refused");
            }
        }
    }

    /// <summary>Waits before the next try, as long as the server says or a time that doubles.</summary>
    public Task Pause(int tries, HttpResponseMessage? response, CancellationToken cancel)
    {
        var wait = TimeSpan.FromSeconds(Math.Min(1 << Math.Min(tries - 1, 4), 10));
        var named = response is null ? null : Named(response);
        return pause(named is null ? wait : named > LongestPause ? LongestPause : named.Value, cancel);
    }

    /// <summary>Whether asking again may help.</summary>
    public static bool IsPassing(HttpStatusCode status) => (int)status is 408 or 429 or 500 or 502 or 503 or 504;

    /// <summary>Whether an exception is the network's.</summary>
    public static bool IsFailure(Exception e, CancellationToken cancel) =>
        !cancel.IsCancellationRequested && e is HttpRequestException or IOException or TimeoutException or SocketException;

    /// <summary>What to say where no server answered.</summary>
    public HubException Unreachable(Exception e) => new(HubFault.Unreachable, $"{endpoint.Authority} cannot be reached ({Innermost(e)})", e);

    private static bool IsAbsent(Exception e) => e is TimeoutException
        or HttpRequestException
        {
            HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.ProxyTunnelError,
        };

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
        {
            e = inner;
        }

        return e.Message.TrimEnd('.');
    }

    // RateLimit: "api";r=0;t=55 is a draft of the IETF that Hugging Face speaks.
    private static TimeSpan? Named(HttpResponseMessage response)
    {
        if (response.Headers.RetryAfter is { } after)
        {
            return after.Delta ?? (after.Date is { } date && date > DateTimeOffset.UtcNow ? date - DateTimeOffset.UtcNow : TimeSpan.Zero);
        }

        if (response.StatusCode != HttpStatusCode.TooManyRequests || !response.Headers.TryGetValues("RateLimit", out var limits))
        {
            return null;
        }

        var seconds = limits.SelectMany(limit => limit.Split(';', ',')).Select(part => part.Trim())
            .Where(part => part.StartsWith("t=", StringComparison.Ordinal)).Select(part => int.TryParse(part[2..], out var t) ? t : 0).FirstOrDefault();
        return seconds > 0 ? TimeSpan.FromSeconds(seconds) : null;
    }
}
