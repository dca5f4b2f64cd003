namespace Fovea.Hub.Sites;

/// <summary>What is asked of a hub to fetch from it.</summary>
internal interface IHubSite
{
    /// <summary>Its host, for messages.</summary>
    string Host { get; }

    /// <summary>The branch that is meant where none is named.</summary>
    string DefaultRevision { get; }

    /// <summary>The commit that a branch or tag means now; a hub without commits gives the name back.</summary>
    Task<string> Commit(RepoName repo, string revision, CancellationToken cancel);

    /// <summary>All files of a commit, in the hub's order.</summary>
    Task<IReadOnlyList<HubFile>> Files(RepoName repo, string commit, CancellationToken cancel);

    /// <summary>Where a file's content is to be had; asking there may lead elsewhere.</summary>
    Uri Address(RepoName repo, string commit, string path);
}
