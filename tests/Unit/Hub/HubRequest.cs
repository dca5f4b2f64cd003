namespace Fovea.Tests.Unit.Hub;

/// <summary>A request that the stand-in hub got.</summary>
/// <param name="Elsewhere">Whether it came to the host that keeps large files.</param>
internal sealed record HubRequest(bool Elsewhere, string Method, string Path, string Query, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name.ToLowerInvariant());

    public string? Parameter(string name) => Query.Split('&').Where(pair => pair.StartsWith($"{name}=", StringComparison.Ordinal))
        .Select(pair => Uri.UnescapeDataString(pair[(name.Length + 1)..].Replace('+', ' '))).FirstOrDefault();

    /// <summary>The bytes asked for; null is all.</summary>
    public (long From, long? To)? Range => Header("range") is { } range && range.StartsWith("bytes=", StringComparison.Ordinal)
        ? (long.Parse(range[6..range.IndexOf('-')]), range[(range.IndexOf('-') + 1)..] is { Length: > 0 } to ? long.Parse(to) + 1 : null)
        : null;
}
