namespace Fovea.Events;

/// <summary>Files of a model, an adapter or a dataset come from a hub, before the run begins. Reported when they are asked for and as they come.</summary>
/// <param name="Repository">Its name on the hub.</param>
/// <param name="Files">Files that were not in the cache.</param>
/// <param name="Bytes">Bytes of them that are there, those of an earlier try counted.</param>
/// <param name="TotalBytes">Bytes of all of them; more may be found while small files are read.</param>
public sealed record FilesFetched(string Repository, int Files, long Bytes, long TotalBytes) : RunEvent;
