namespace Fovea.Hub.Fetching;

/// <summary>How far a fetch is.</summary>
/// <param name="Repo">The repository.</param>
/// <param name="Done">Bytes on disk, those of an earlier try counted.</param>
/// <param name="Total">Bytes that are needed in all; more may be found while small files are read.</param>
/// <param name="Files">Files that have to be fetched.</param>
/// <param name="Note">Something to say instead of numbers.</param>
internal sealed record HubProgress(RepoName Repo, long Done, long Total, int Files, string? Note = null);
