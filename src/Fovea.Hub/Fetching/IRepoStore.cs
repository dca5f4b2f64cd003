namespace Fovea.Hub.Fetching;

/// <summary>A hub's files with the cache that its own client has too.</summary>
internal interface IRepoStore
{
    /// <summary>Where it looks without the network, for messages.</summary>
    string CacheFolder { get; }

    /// <summary>The folder of a revision that holds all that is wanted, fetched as far as it is not there.</summary>
    /// <exception cref="HubException">It cannot be had.</exception>
    Task<string> Fetch(FetchRequest request, CancellationToken cancel);
}
