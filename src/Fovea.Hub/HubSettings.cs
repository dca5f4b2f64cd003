namespace Fovea.Hub;

/// <summary>
/// Where repositories come from and where they are kept, as the environment of Hugging Face's and ModelScope's own clients says. Nothing here is written to a
/// log: two of the values are secrets.
/// </summary>
internal sealed record HubSettings
{
    private const string Site = "https://huggingface.co";
    private const string ScopeSite = "https://modelscope.cn";

    /// <summary>The cache of Hugging Face's client: one folder per repository.</summary>
    public required string CacheFolder { get; init; }

    public required Uri Endpoint { get; init; }

    /// <summary>Sent to <see cref="Endpoint"/> alone.</summary>
    public string? Token { get; init; }

    /// <summary>Where the token was found, in words that do not show it.</summary>
    public string? TokenPlace { get; init; }

    public bool Offline { get; init; }

    /// <summary>Whether names are those of ModelScope.</summary>
    public bool ModelScope { get; init; }

    public required string ModelScopeFolder { get; init; }

    public required Uri ModelScopeEndpoint { get; init; }

    public string? ModelScopeToken { get; init; }

    /// <summary>How long a server may be silent.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <param name="variable">Gives an environment variable.</param>
    /// <param name="cacheFolder">Replaces the cache of the site in use.</param>
    /// <param name="token">Replaces the token of Hugging Face.</param>
    /// <param name="modelScopeToken">Replaces the token of ModelScope.</param>
    /// <exception cref="ConfigException">An endpoint is no address.</exception>
    public static HubSettings Read(
        Func<string, string?>? variable = null, string? cacheFolder = null, string? token = null, string? modelScopeToken = null)
    {
        variable ??= Environment.GetEnvironmentVariable;
        string? Get(string name) => variable(name) is { Length: > 0 } value ? value : null;
        var user = Get("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string Expand(string path) => path == "~" || path.StartsWith("~/", StringComparison.Ordinal) ? Path.Join(user, path[1..]) : path;
        var caches = Expand(Get("XDG_CACHE_HOME") ?? Path.Combine(user, ".cache"));
        var home = Expand(Get("HF_HOME") ?? Path.Combine(caches, "huggingface"));
        var cache = Expand(cacheFolder ?? Get("HF_HUB_CACHE") ?? Get("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(home, "hub"));
        var (found, place) = FindToken(token, Get, Expand(Get("HF_TOKEN_PATH") ?? Path.Combine(home, "token")));
        var domain = Get("MODELSCOPE_DOMAIN");
        return new HubSettings
        {
            CacheFolder = Path.GetFullPath(cache),
            Endpoint = Address("HF_ENDPOINT", Get("HF_ENDPOINT") ?? Site),
            Token = found,
            TokenPlace = place,
            Offline = IsTrue(Get("HF_HUB_OFFLINE") ?? Get("TRANSFORMERS_OFFLINE")),
            ModelScope = IsTrue(Get("USE_MODELSCOPE_HUB")),
            ModelScopeFolder = Path.GetFullPath(Expand(cacheFolder ?? Get("MODELSCOPE_CACHE") ?? Path.Combine(user, ".cache", "modelscope"))),
            ModelScopeEndpoint = Address("MODELSCOPE_ENDPOINT", Get("MODELSCOPE_ENDPOINT") ?? (domain is null ? ScopeSite : Scheme(domain))),
            ModelScopeToken = Clean(modelScopeToken) ?? Clean(Get("MODELSCOPE_API_TOKEN")),
            Patience = int.TryParse(Get("HF_HUB_DOWNLOAD_TIMEOUT"), out var seconds) && seconds > 0
                ? TimeSpan.FromSeconds(seconds)
                : TimeSpan.FromSeconds(30),
        };
    }

    /// <summary>As a switch of Hugging Face's client is read.</summary>
    internal static bool IsTrue(string? value) => value?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";

    private static (string? Token, string? Place) FindToken(string? given, Func<string, string?> variable, string file)
    {
        if (Clean(given) is { } key)
        {
            return (key, "hf_hub_token");
        }

        if (IsTrue(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")))
        {
            return (null, null);
        }

        foreach (var name in (string[])["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
        {
            if (Clean(variable(name)) is { } token)
            {
                return (token, name);
            }
        }

        return File.Exists(file) && Clean(TextFile.Read(file)) is { } stored ? (stored, file) : (null, null);
    }

    private static string? Clean(string? token) =>
        token?.Replace("\r", string.Empty, StringComparison.Ordinal).Replace("\n", string.Empty, StringComparison.Ordinal).Trim() is { Length: > 0 } clean
            ? clean
            : null;

    private static string Scheme(string domain) => domain.Contains("://", StringComparison.Ordinal) ? domain : $"https://{domain}";

    private static Uri Address(string variable, string text) =>
        Uri.TryCreate(text.TrimEnd('/') + "/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri
            : throw new ConfigException($"{variable}: '{text}' is not an address of the web (https://...)");
}
