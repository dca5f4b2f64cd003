using Microsoft.AspNetCore.Http;

namespace Fovea.Board.Http;

/// <summary>What may be sent to a board, by its own pages alone.</summary>
internal sealed class OwnPage
{
    private readonly HashSet<string> paths = new(StringComparer.Ordinal);

    /// <summary>Something may be sent there.</summary>
    public void Allow(string path) => paths.Add(path);

    /// <summary>
    /// Whether a request comes from a page of the board, for what is done on request. Browsers say where a form or script comes from, and scripts cannot change
    /// that.
    /// </summary>
    public bool Sends(HttpRequest request) => HttpMethods.IsPost(request.Method) && paths.Contains(request.Path.Value ?? string.Empty)
        && request.Headers.Origin == $"http://{request.Host}" && request.HasJsonContentType();
}
