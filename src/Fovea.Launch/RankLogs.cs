namespace Fovea.Launch;

/// <summary>The logs of a node's ranks, and the folder where they lie.</summary>
/// <param name="outputDir">The run's folder, or null: then they stay in the temporary one.</param>
internal sealed class RankLogs(IEnumerable<int> ranks, string? outputDir) : IDisposable
{
    private readonly string temporary = Directory.CreateTempSubdirectory("fovea-ranks-").FullName;
    private readonly DateTime started = DateTime.UtcNow;
    private readonly DateTime? before = LastWritten(outputDir);
    private RankLog[] logs = [];
    private bool moved;
    private bool wanted = true;

    /// <summary>Logs by the rank's number within the node.</summary>
    public RankLog this[int local] => logs[local];

    /// <summary>Where they will be found.</summary>
    public string Folder => moved || outputDir is null ? Current : Path.Combine(outputDir, "logs");

    private string Current => moved ? Path.Combine(outputDir!, "logs") : temporary;

    public void Open() => logs = [.. ranks.Select(rank => new RankLog(rank, temporary))];

    /// <summary>
    /// Moves into the run's folder once the run has written something there itself, or at its good end; without such a folder they go then, and where the
    /// run found that it had ended before and wrote nothing.
    /// </summary>
    public void Settle(bool finished = false)
    {
        wanted = !finished || (outputDir is not null && (moved || before is null || LastWritten(outputDir) != before));
        if (!wanted || moved || outputDir is null || !(finished || RunHasBegun(outputDir)))
        {
            return;
        }

        moved = true;
        foreach (var log in logs)
        {
            log.MoveTo(Path.Combine(outputDir, "logs"));
        }
    }

    public void Dispose()
    {
        foreach (var log in logs)
        {
            log.Dispose();
        }

        if (!wanted || !Directory.EnumerateFileSystemEntries(temporary).Any())
        {
            Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>When a file in the folder was last written; null where there is none.</summary>
    private static DateTime? LastWritten(string? folder) => !Directory.Exists(folder)
        ? null
        : new DirectoryInfo(folder).EnumerateFiles().Select(file => (DateTime?)file.LastWriteTimeUtc).Max();

    private bool RunHasBegun(string folder)
    {
        try
        {
            // The trainer first tries with a hidden file whether it may write there.
            return Directory.Exists(folder) && new DirectoryInfo(folder).EnumerateFiles().Any(file => file.Name[0] != '.' && file.LastWriteTimeUtc >= started);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
