using Fovea.Models.Peft;

namespace Fovea.Models.Saving;

/// <summary>
/// The folder of an export. Everything is written into a hidden folder inside it and then moved up, config.json last: so the folder may be a link or a mount
/// point, and holds the old model or the new one, or after a crash between the moves none that loads.
/// A note in it says which files are the export's, so that nobody else's are ever removed.
/// </summary>
internal sealed class ExportFolder : IDisposable
{
    public const string NoteName = "fovea_export.json";

    private const string Key = "export_dir";
    private const string Partial = ".fovea_export.partial";

    private readonly string target;
    private readonly bool made;
    private bool committed;

    private ExportFolder(string target)
    {
        this.target = target;
        made = !Directory.Exists(target);
    }

    internal string WorkingFolder => Path.Combine(target, Partial);

    /// <summary>Throws where an export would be refused: to know before the work begins.</summary>
    /// <exception cref="ConfigException">
    /// The target is the source, cannot be written, or holds other files and <paramref name="force"/> is not given.
    /// </exception>
    public static void Check(string sourceFolder, string targetFolder, bool force) => Resolve(sourceFolder, targetFolder, force);

    /// <summary>The adapters that an export has folded into a model's weights, by <see cref="AdapterBase.IdentityOf"/>; none for any other model.</summary>
    internal static IReadOnlyList<string> MergedInto(string modelFolder) => [.. Noted(modelFolder, "merged")];

    internal static ExportFolder Open(string sourceFolder, string targetFolder, bool force)
    {
        var folder = new ExportFolder(Resolve(sourceFolder, targetFolder, force));
        Guard(folder.target, () =>
        {
            Remove(folder.WorkingFolder); // of an export that was killed
            Directory.CreateDirectory(folder.WorkingFolder);
        });
        return folder;
    }

    /// <param name="files">What was written into <see cref="WorkingFolder"/>.</param>
    /// <param name="merged">What was folded into the weights, by <see cref="AdapterBase.IdentityOf"/>.</param>
    internal IReadOnlyList<string> Commit(IReadOnlyList<string> files, string sourceFolder, IReadOnlyList<string> adapters, IReadOnlyList<string> merged)
    {
        string[] all = [.. files, NoteName];
        AtomicFile.WriteText(Path.Combine(WorkingFolder, NoteName), PythonJson.Pretty(new Dictionary<string, object?>
        {
            ["adapters"] = adapters,
            ["base"] = sourceFolder,
            ["files"] = all,
            ["merged"] = merged,
        }));
        Guard(target, () => MoveUp(all));
        committed = true;
        return all;
    }

    /// <summary>Removes what was not committed.</summary>
    public void Dispose()
    {
        Remove(WorkingFolder);
        if (made && !committed && Directory.Exists(target) && !Directory.EnumerateFileSystemEntries(target).Any())
        {
            Directory.Delete(target);
        }
    }

    private static string Resolve(string sourceFolder, string targetFolder, bool force)
    {
        var target = WriteTarget.Folder(targetFolder, Key);
        if (Directory.Exists(sourceFolder) && target == WriteTarget.Folder(sourceFolder, Key, writable: false))
        {
            throw new ConfigException($"{Key}: {targetFolder} is the base model itself; export into another folder");
        }

        if (!Directory.Exists(target))
        {
            return target;
        }

        if (!force && Strangers(target) is { Count: > 0 } others)
        {
            throw new ConfigException($"{Key}: {targetFolder} is not empty and holds what is no earlier export ({string.Join(", ", others.Take(5))}"
                + $"{(others.Count > 5 ? ", ..." : string.Empty)}); choose another folder, or use --force to write beside these files");
        }

        string[] written = [NoteName, "config.json", "model.safetensors", "model.safetensors.index.json"];
        var copied = Directory.Exists(sourceFolder) ? Directory.EnumerateFiles(sourceFolder).Select(path => Path.GetFileName(path)) : [];
        RefuseFolders(target, written.Union(copied));
        return target;
    }

    private static void RefuseFolders(string target, IEnumerable<string> files)
    {
        if (files.FirstOrDefault(name => Directory.Exists(Path.Combine(target, name))) is { } folder)
        {
            throw new ConfigException($"{Key}: {Path.Combine(target, folder)} is a folder where the export writes a file; "
                + "move it away or choose another folder");
        }
    }

    private void MoveUp(string[] files)
    {
        RefuseFolders(target, files);
        var config = Families.ConfigPath(string.Empty);

        // Until the new config.json comes, last of all, no program takes the folder for a model.
        File.Delete(Path.Combine(target, config));
        foreach (var old in Own(target).Except(files))
        {
            File.Delete(Path.Combine(target, old));
            RemoveEmpty(Path.GetDirectoryName(Path.Combine(target, old))!);
        }

        foreach (var name in files.OrderBy(name => name == config).ThenBy(name => name != NoteName))
        {
            var place = Path.Combine(target, name);
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            File.Move(Path.Combine(WorkingFolder, name), place, overwrite: true);
        }
    }

    private void RemoveEmpty(string folder)
    {
        if (folder != target && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
        }
    }

    /// <summary>What lies in a folder besides an earlier export.</summary>
    private static List<string> Strangers(string folder)
    {
        var own = Own(folder);
        var names = WriteTarget.Entries(folder).Select(entry => entry.Name);
        return [.. names.Where(name => name != Partial && !own.Contains(name) && !HoldsOnly(folder, name, own)).Order(StringComparer.Ordinal)];
    }

    /// <summary>The files of an earlier export, by its note.</summary>
    private static HashSet<string> Own(string folder) => [.. Noted(folder, "files")
        .Where(name => !name.Contains('\0') && Path.GetFullPath(name, folder).StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal))];

    private static IEnumerable<string> Noted(string folder, string key)
    {
        var note = Path.Combine(folder, NoteName);
        try
        {
            if (!File.Exists(note))
            {
                return [];
            }

            using var json = JsonFile.Read(note);
            return json.RootElement.TryGetProperty(key, out var names) ? [.. names.EnumerateArray().Select(name => name.GetString()).OfType<string>()] : [];
        }
        catch (Exception e) when (e is ConfigException or InvalidOperationException)
        {
            return []; // not a note of ours
        }
    }

    /// <summary>Whether it is a folder of the export's, for instance an encoder's, and nothing else has been put into it.</summary>
    private static bool HoldsOnly(string folder, string name, HashSet<string> own) =>
        own.Any(file => file.StartsWith(name + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        && Directory.EnumerateFileSystemEntries(Path.Combine(folder, name), "*", SearchOption.AllDirectories)
            .All(path => own.Contains(Path.GetRelativePath(folder, path)));

    private static void Remove(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Guard(string path, Action work)
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
}
