using Fovea.Models.Peft;
using Fovea.Tensors.Safetensors;

namespace Fovea.Models.Saving;

/// <summary>
/// The folder of an export. It is written beside its place and then renamed, so that its name never shows a half-written model.
/// A note in it says which files are the export's, so that nobody else's are ever removed.
/// </summary>
public sealed class ExportFolder : IDisposable
{
    public const string NoteName = "fovea_export.json";

    private readonly string target;
    private readonly bool inPlace;

    private ExportFolder(string target, bool inPlace)
    {
        this.target = target;
        this.inPlace = inPlace;
        WorkingFolder = inPlace ? target : Beside("partial");
    }

    internal string WorkingFolder { get; }

    /// <summary>Throws where an export would be refused: to know before the work begins.</summary>
    /// <exception cref="ConfigException">The target is the source, a file, or holds other files and <paramref name="force"/> is not given.</exception>
    public static void Check(string sourceFolder, string targetFolder, bool force)
    {
        var target = Path.GetFullPath(targetFolder);
        if (Same(target, sourceFolder))
        {
            throw new ConfigException($"{targetFolder} is the base model itself; export into another folder");
        }

        if (File.Exists(target))
        {
            throw new ConfigException($"{targetFolder} is a file; the export is a folder");
        }

        if (!force && Directory.Exists(target) && Strangers(target) is { Count: > 0 } others)
        {
            throw new ConfigException($"{targetFolder} is not empty and holds what is no earlier export ({string.Join(", ", others.Take(5))}"
                + $"{(others.Count > 5 ? ", ..." : string.Empty)}); choose another folder, or use --force to write beside these files");
        }
    }

    internal static ExportFolder Open(string sourceFolder, string targetFolder, bool force)
    {
        Check(sourceFolder, targetFolder, force);
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(targetFolder));
        var folder = new ExportFolder(target, Directory.Exists(target) && Strangers(target).Count > 0);
        if (!folder.inPlace)
        {
            Remove(folder.WorkingFolder);
        }

        AtomicGuard(target, () => Directory.CreateDirectory(folder.WorkingFolder));
        return folder;
    }

    internal IReadOnlyList<string> Commit(IReadOnlyList<string> files, string sourceFolder, IReadOnlyList<string> adapters)
    {
        string[] all = [.. files, NoteName];
        AtomicFile.WriteText(Path.Combine(WorkingFolder, NoteName), PythonJson.Dump(new Dictionary<string, object?>
        {
            ["adapters"] = adapters,
            ["base"] = sourceFolder,
            ["files"] = all,
        }));
        if (!inPlace)
        {
            AtomicGuard(target, () =>
            {
                var old = Beside("old");
                Remove(old);
                if (Directory.Exists(target))
                {
                    Directory.Move(target, old);
                }

                Directory.Move(WorkingFolder, target);
                Remove(old);
            });
        }

        return all;
    }

    /// <summary>Removes what was not committed.</summary>
    public void Dispose()
    {
        if (!inPlace)
        {
            Remove(WorkingFolder);
        }
    }

    /// <summary>What lies in a folder besides an earlier export.</summary>
    private static List<string> Strangers(string folder)
    {
        var own = new HashSet<string>(StringComparer.Ordinal);
        var note = Path.Combine(folder, NoteName);
        if (File.Exists(note))
        {
            try
            {
                using var json = JsonFile.Read(note);
                own.UnionWith(json.RootElement.GetProperty("files").EnumerateArray().Select(file => file.GetString()!));
            }
            catch (Exception e) when (e is ConfigException or InvalidOperationException or KeyNotFoundException)
            {
                own.Clear(); // not a note of ours
            }
        }

        var names = Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)!);
        return [.. names.Where(name => !own.Contains(name) && !HoldsOnly(folder, name, own)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Whether it is a folder of the export's, for instance an encoder's, and nothing else has been put into it.</summary>
    private static bool HoldsOnly(string folder, string name, HashSet<string> own) =>
        own.Any(file => file.StartsWith(name + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        && Directory.EnumerateFileSystemEntries(Path.Combine(folder, name), "*", SearchOption.AllDirectories)
            .All(path => own.Contains(Path.GetRelativePath(folder, path)));

    private static bool Same(string target, string source)
    {
        static string Real(string path)
        {
            var link = Directory.Exists(path) ? Directory.ResolveLinkTarget(path, returnFinalTarget: true) : null;
            return Path.TrimEndingDirectorySeparator(link?.FullName ?? Path.GetFullPath(path));
        }

        return Real(target) == Real(source);
    }

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void AtomicGuard(string path, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path} cannot be written: {e.Message}", e);
        }
    }

    private string Beside(string what) => Path.Combine(Path.GetDirectoryName(target) ?? target, $".{Path.GetFileName(target)}.{what}");
}
