using Fovea.AspNetCore.Http;

namespace Fovea.AspNetCore.Media;

/// <summary>Reads images that requests name: data URIs, and where it is allowed, files and addresses.</summary>
internal sealed class MediaReader : IDisposable
{
    private readonly int mostBytes;
    private readonly UrlFetcher? urls;
    private readonly RootedFiles? files;

    public MediaReader(FoveaOptions options)
        : this(options, options.AllowUrls ? new UrlFetcher(options.MaxImageBytes, options.FetchTimeout) : null)
    {
    }

    /// <param name="urls">Fetches from addresses; null refuses them.</param>
    public MediaReader(FoveaOptions options, UrlFetcher? urls)
    {
        (mostBytes, this.urls) = (options.MaxImageBytes, urls);
        files = options.MediaRoot is { } root ? new RootedFiles(root, mostBytes) : null;
    }

    /// <summary>An image's encoded bytes.</summary>
    /// <param name="place">Where it stands in the request, which is its name in messages.</param>
    /// <exception cref="ApiException">It is not allowed or cannot be read.</exception>
    public async Task<MediaSource> Read(string url, string place, CancellationToken cancel)
    {
        var bytes = url switch
        {
            _ when Is("data:") => Data(url, place),
            _ when Is("file:") => (files ?? throw ApiException.Unsupported(place, "the server is not allowed to read files")).Read(url, place),
            _ when Is("http:") || Is("https:") =>
                await (urls ?? throw ApiException.Unsupported(place, "the server is not allowed to fetch from addresses; send a data URI"))
                    .Fetch(Uri.TryCreate(url, UriKind.Absolute, out var uri) ? uri : throw ApiException.Invalid(place, "is no address"), place, cancel)
                    .ConfigureAwait(false),
            _ => throw ApiException.Invalid(place, "must be a data URI (data:image/png;base64,...), or an http, https or file URL"),
        };
        return MediaSource.FromBytes(bytes, place);

        bool Is(string scheme) => url.StartsWith(scheme, StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose() => urls?.Dispose();

    private byte[] Data(string url, string place)
    {
        const string mark = ";base64";
        var comma = url.IndexOf(',', StringComparison.Ordinal);
        if (comma < 0 || !url.AsSpan(0, comma).EndsWith(mark, StringComparison.OrdinalIgnoreCase))
        {
            throw ApiException.Invalid(place, "a data URI must be in base64 (data:image/png;base64,...)");
        }

        var text = url.AsSpan(comma + 1);
        if (text.Length / 4 * 3L > mostBytes + 3L)
        {
            throw ApiException.Invalid(place, $"the image has more than {mostBytes} bytes");
        }

        var bytes = new byte[(text.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64Chars(text, bytes, out var length) || length == 0)
        {
            throw ApiException.Invalid(place, "the base64 of the data URI is malformed");
        }

        return length <= mostBytes ? bytes[..length] : throw ApiException.Invalid(place, $"the image has more than {mostBytes} bytes");
    }
}
