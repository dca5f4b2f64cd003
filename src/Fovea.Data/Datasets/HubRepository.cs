namespace Fovea.Data.Datasets;

/// <summary>A dataset's repository on this machine.</summary>
/// <param name="Folder">Its root.</param>
/// <param name="Files">The files of what is asked for, in reading order, where its card names them; null where it does not.</param>
/// <param name="Within">The folder of what is asked for, where its card names that; null where it does not.</param>
internal sealed record HubRepository(string Folder, IReadOnlyList<string>? Files = null, string? Within = null);
