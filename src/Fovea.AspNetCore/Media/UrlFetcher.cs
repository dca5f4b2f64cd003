using System.Net;
using System.Net.Sockets;
using Fovea.AspNetCore.Http;

namespace Fovea.AspNetCore.Media;

/// <summary>
/// Fetches images from addresses of the public internet. The address that a name has is looked up once for each connection, also after a redirect, and the
/// connection goes to the one that was looked at.
/// </summary>
internal sealed class UrlFetcher : IDisposable
{
    private const int MostRedirects = 3;
    private readonly Func<IPAddress, bool> allowed;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private readonly HttpClient client;
    private readonly int mostBytes;

    /// <param name="allowed">Which addresses may be connected to.</param>
    /// <param name="resolve">The addresses of a name.</param>
    public UrlFetcher(
        int mostBytes, TimeSpan timeout, Func<IPAddress, bool>? allowed = null, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
    {
        (this.mostBytes, this.allowed, this.resolve) = (mostBytes, allowed ?? PublicAddress.Is, resolve ?? Dns.GetHostAddressesAsync);
        client = new HttpClient(
            new SocketsHttpHandler
            {
                // A proxy would do the connecting, out of sight.
                UseProxy = false,
                UseCookies = false,
                AutomaticDecompression = DecompressionMethods.None,
                MaxAutomaticRedirections = MostRedirects,
                MaxResponseHeadersLength = 32,
                ConnectCallback = Connect,
            })
        {
            Timeout = timeout,
        };
        client.DefaultRequestHeaders.UserAgent.ParseAdd("fovea");
    }

    /// <exception cref="ApiException">It cannot be fetched; why not says nothing about networks that only this machine sees.</exception>
    public async Task<byte[]> Fetch(Uri url, string place, CancellationToken cancel)
    {
        if (url.UserInfo.Length > 0)
        {
            throw ApiException.Invalid(place, "may hold no name and password");
        }

        try
        {
            using var response = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                throw ApiException.Invalid(place, "the address gave no image");
            }

            using var stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            using var bytes = new MemoryStream();
            var buffer = new byte[1 << 16];
            using var slow = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            slow.CancelAfter(client.Timeout);
            for (int read; (read = await stream.ReadAsync(buffer, slow.Token).ConfigureAwait(false)) > 0;)
            {
                bytes.Write(buffer, 0, read);
                if (bytes.Length > mostBytes)
                {
                    throw ApiException.Invalid(place, $"the image has more than {mostBytes} bytes");
                }
            }

            return bytes.ToArray();
        }
        catch (Exception e) when (e is not ApiException && !cancel.IsCancellationRequested)
        {
            // Whatever a stranger's server replied: a redirect to what is no address, a broken stream, nothing.
            throw ApiException.Invalid(place, "the image cannot be fetched from its address");
        }
    }

    public void Dispose() => client.Dispose();

    private async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var end = context.DnsEndPoint;
        var addresses = IPAddress.TryParse(end.Host, out var literal) ? [literal] : await resolve(end.Host, cancel).ConfigureAwait(false);

        // One that is not public among several means that somebody plays with names.
        if (addresses.Length == 0 || !addresses.All(allowed))
        {
            throw new IOException("the address is not public");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, end.Port, cancel).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
