namespace Fovea.AspNetCore;

/// <summary>What is served, to whom, and what is refused.</summary>
public sealed class FoveaOptions
{
    /// <summary>A Hugging Face model folder of a supported family.</summary>
    public string Folder { get; set; } = string.Empty;

    /// <summary>Adapters, device, element type and so on. Adapters with names are models of their own to clients.</summary>
    public VisionModelOptions Model { get; set; } = new();

    /// <summary>How much is answered at once, and limits of requests.</summary>
    public ModelServerOptions Limits { get; set; } = new();

    /// <summary>Keys of which requests must carry one (<c>Authorization: Bearer KEY</c>); none: anybody may ask.</summary>
    public IReadOnlyList<string> ApiKeys { get; set; } = [];

    /// <summary>
    /// Whether images may be fetched from http and https addresses. Addresses of this machine, of private networks and of clouds' metadata services are
    /// refused, also where a name or a redirect leads to one.
    /// </summary>
    public bool AllowUrls { get; set; }

    /// <summary>Folder below which images may be files (<c>file:</c> URLs); null: none may.</summary>
    public string? MediaRoot { get; set; }

    /// <summary>Most bytes of the body of a request; at least 1024.</summary>
    public long MaxBodyBytes { get; set; } = 32 << 20;

    /// <summary>Most bytes of all bodies that are being worked on; a request that would be more is refused for now.</summary>
    public long MaxBodiesBytes { get; set; } = 512 << 20;

    /// <summary>Most bytes of one image, encoded; at least 1.</summary>
    public int MaxImageBytes { get; set; } = 20 << 20;

    /// <summary>Longest time for one request, waiting included.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Longest time to fetch one image from an address.</summary>
    public TimeSpan FetchTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long answers under way may go on when the application ends.</summary>
    public TimeSpan DrainTime { get; set; } = TimeSpan.FromSeconds(30);

    internal void Check()
    {
        var problems = new List<string>();
        Require(Folder.Length > 0, $"{nameof(Folder)} is empty: name a model folder");
        Require(ApiKeys.All(key => key.Length > 0 && key.All(c => c is > ' ' and < '\x7f')), "an API key is empty or holds what no HTTP header may");
        Require(MediaRoot is null || Directory.Exists(MediaRoot), $"{nameof(MediaRoot)}: there is no folder {MediaRoot}");
        Require(MaxBodyBytes >= 1024, $"{nameof(MaxBodyBytes)} is {MaxBodyBytes}, must be at least 1024");
        Require(MaxBodiesBytes >= MaxBodyBytes, $"{nameof(MaxBodiesBytes)} is {MaxBodiesBytes}, must be at least {nameof(MaxBodyBytes)}");
        Require(MaxImageBytes >= 1, $"{nameof(MaxImageBytes)} is {MaxImageBytes}, must be at least 1");
        Require(Timeout > TimeSpan.Zero, $"{nameof(Timeout)} is {Timeout}, must be above 0");
        Require(FetchTimeout > TimeSpan.Zero, $"{nameof(FetchTimeout)} is {FetchTimeout}, must be above 0");
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Require(bool condition, string problem)
        {
            if (!condition)
            {
                problems.Add(problem);
            }
        }
    }
}
