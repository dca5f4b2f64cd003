using System.Globalization;
using Fovea.Runs.Files;

namespace Fovea.Training.Session;

/// <summary>
/// A folder <c>checkpoint-NUMBER</c> that Fovea made: it has a <see cref="StateFile"/> of that step, or, saved with <c>save_only_model</c>, the mark of
/// <see cref="RunMark"/>. Whatever else has such a name is somebody else's, a copy under another number too, and is never removed.
/// </summary>
/// <param name="Order">When it was written: what was written later in the same folder has a higher number. 0 where an earlier version did not say.</param>
/// <param name="CanResume">False where it was saved with <c>save_only_model</c>.</param>
/// <param name="IsDamaged">Its state cannot be read.</param>
internal sealed record SavedCheckpoint(string Path, int Step, int Order, bool CanResume, bool IsDamaged)
{
    public const string Prefix = "checkpoint-";
    public const string StateFile = "fovea_state.json";

    /// <summary>Those in a run's folder, in the order in which they were written.</summary>
    public static IReadOnlyList<SavedCheckpoint> In(string folder) =>
        [.. Numbered(folder).Select(entry => Read(entry.Path, entry.Step)).OfType<SavedCheckpoint>().OrderBy(c => c.Order).ThenBy(c => c.Step)];

    /// <summary>What has such a name and is not to be removed: it was not made by Fovea, or is a link.</summary>
    public static IReadOnlyList<(string Path, int Step)> Others(string folder) =>
        [.. Numbered(folder).Where(entry => Holds(entry.Path) && (Read(entry.Path, entry.Step) is null || IsLink(entry.Path))).OrderBy(entry => entry.Step)];

    /// <summary>Whether it has the name of a folder in which a checkpoint grows, <c>.checkpoint-NUMBER.partial</c>.</summary>
    public static bool IsPartial(string path) =>
        System.IO.Path.GetFileName(path) is ['.', .. var name] && name.EndsWith(".partial", StringComparison.Ordinal) && StepOf(name[..^8]) is not null;

    /// <summary>A link is the user's.</summary>
    public static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;

    private static IEnumerable<(string Path, int Step)> Numbered(string folder) => !Directory.Exists(folder)
        ? []
        : Directory.EnumerateFileSystemEntries(folder, $"{Prefix}*")
            .Select(path => (Path: path, Step: StepOf(System.IO.Path.GetFileName(path))))
            .Where(entry => entry.Step is not null)
            .Select(entry => (entry.Path, entry.Step!.Value))
            .ToList();

    private static bool Holds(string path) => !Directory.Exists(path) || Directory.EnumerateFileSystemEntries(path).Any();

    private static int? StepOf(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step)
        && name == string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step}")
            ? step
            : null;

    private static SavedCheckpoint? Read(string path, int step)
    {
        var state = System.IO.Path.Combine(path, StateFile);
        if (!File.Exists(state))
        {
            return TrainerState.Find(path) is { Mark: { } mark } only && only.GlobalStep == step
                ? new SavedCheckpoint(path, step, mark.Order, CanResume: false, IsDamaged: false)
                : null;
        }

        try
        {
            using var json = JsonFile.ReadObject(state);
            var written = json.RootElement.GetProperty("step").GetInt32();
            var order = json.RootElement.TryGetProperty("order", out var given) ? given.GetInt32() : 0;
            return written == step ? new SavedCheckpoint(path, step, order, CanResume: true, IsDamaged: false) : null;
        }
        catch (Exception e) when (e is ConfigException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return new SavedCheckpoint(path, step, Order: 0, CanResume: true, IsDamaged: true);
        }
    }
}
