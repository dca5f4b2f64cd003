namespace Fovea.Hub.Fetching;

/// <summary>What is to be fetched.</summary>
/// <param name="Repo">The repository; a revision in its name goes before <paramref name="Revision"/>.</param>
/// <param name="Revision">A branch, tag or commit; null is the hub's default branch.</param>
internal sealed record FetchRequest(RepoName Repo, string? Revision = null)
{
    public FileChoice Files { get; init; } = FileChoice.Needed;

    public IProgress<HubProgress>? Progress { get; init; }

    /// <summary>
    /// Gives all processes of a run the answer of one: what the branch means now is asked once, so that none computes with another commit than the rest.
    /// </summary>
    public Func<string, Func<string?>, string?> Agree { get; init; } = (_, ask) => ask();
}
