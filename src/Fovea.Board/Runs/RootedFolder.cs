using System.Text;

namespace Fovea.Board.Runs;

/// <summary>The folder that a board shows. Whatever is read is asked of the system where it really lies: a link that leads out is as good as missing.</summary>
internal sealed class RootedFolder
{
    private const int MostLinks = 40;
    private readonly string below;

    /// <exception cref="ConfigException">There is no such folder.</exception>
    public RootedFolder(string folder)
    {
        Path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder));
        if (!Directory.Exists(Path))
        {
            throw new ConfigException($"{folder}: there is no such folder; name the one that runs are saved in (output_dir, or a folder above it)");
        }

        below = Real(Path) is "/" ? "/" : Real(Path) + "/";
    }

    /// <summary>Whole, as it was named.</summary>
    public string Path { get; }

    /// <summary>What a folder below this one is called in the list, there or not; null for one that lies elsewhere, or where the list does not look.</summary>
    public string? IdOf(string path)
    {
        try
        {
            var lies = Real(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)));
            var parts = lies.StartsWith(below, StringComparison.Ordinal) ? lies[below.Length..].Split('/') : [];
            return parts.Length is > 0 and <= RunList.MostDepth && Array.TrueForAll(parts, RunList.IsShown) ? string.Join('/', parts) : null;
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            return null;
        }
    }

    /// <summary>A folder of the board's own in it, made if need be.</summary>
    /// <exception cref="IOException">It cannot be made, or leads out.</exception>
    public string Own(params ReadOnlySpan<string> names)
    {
        var folder = System.IO.Path.Combine([Path, .. names]);
        Directory.CreateDirectory(folder);
        return $"{Real(folder)}/".StartsWith(below, StringComparison.Ordinal) ? folder : throw new IOException($"{folder} leads out of the board's folder");
    }

    /// <summary>Whether there is such a file, and it may be read.</summary>
    public bool Exists(string path)
    {
        using var file = Open(path);
        return file is not null;
    }

    /// <summary>Length and time of a file; zero where there is none. What has no length, as pipes and devices have none, is never opened.</summary>
    public static (long Length, DateTime Changed) Stamp(string path)
    {
        try
        {
            var file = new FileInfo(path);
            file = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
            return file.Exists ? (file.Length, file.LastWriteTimeUtc) : default;
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            return default;
        }
    }

    /// <summary>A whole file; null where it is missing, outside or longer.</summary>
    public byte[]? Read(string path, int most)
    {
        using var file = Open(path);
        return file is null || file.Length > most ? null : ReadFrom(file, 0);
    }

    /// <summary>The last bytes of a text, from a line's beginning on; empty where there is none.</summary>
    public string Tail(string path, int most)
    {
        using var file = Open(path);
        if (file is null)
        {
            return string.Empty;
        }

        var text = Encoding.UTF8.GetString(ReadFrom(file, Math.Max(0, file.Length - most)));
        return file.Length <= most ? text : text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..];
    }

    /// <summary>Opens a file that others may be writing; null where it is missing, empty or outside.</summary>
    public FileStream? Open(string path)
    {
        if (Stamp(path).Length == 0)
        {
            return null;
        }

        FileStream? file = null;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var lies = new FileInfo($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}").LinkTarget;
            if (lies?.StartsWith(below, StringComparison.Ordinal) == true)
            {
                return file;
            }
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            // As if it were missing.
        }

        file?.Dispose();
        return null;
    }

    /// <summary>What a file holds from a place on.</summary>
    public static byte[] ReadFrom(FileStream file, long start)
    {
        file.Seek(start, SeekOrigin.Begin);
        using var rest = new MemoryStream();
        file.CopyTo(rest);
        return rest.ToArray();
    }

    // A folder of the way may be a link, too.
    private static string Real(string folder, int links = MostLinks)
    {
        var parent = System.IO.Path.GetDirectoryName(folder);
        if (parent is null)
        {
            return folder;
        }

        var here = System.IO.Path.Combine(Real(parent, links), System.IO.Path.GetFileName(folder));
        return new DirectoryInfo(here).LinkTarget is not { } target ? here
            : links > 0 ? Real(System.IO.Path.GetFullPath(target, System.IO.Path.GetDirectoryName(here)!), links - 1)
            : throw new IOException($"{folder}: too many links");
    }
}
