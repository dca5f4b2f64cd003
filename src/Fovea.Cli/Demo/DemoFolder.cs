
namespace Fovea.Cli.Demo;

/// <summary>Where the demonstration's files lie. A folder of an earlier demonstration is replaced; any other that is not empty is refused.</summary>
internal sealed class DemoFolder
{
    internal const string Marker = ".fovea-demo";

    private DemoFolder(string root) => Root = root;

    /// <summary>As short as it can be written from the current directory, because configurations and commands name it.</summary>
    public string Root { get; }

    public string Data => Path.Combine(Root, "data");

    /// <summary>The model with random weights.</summary>
    public string Blank => Path.Combine(Root, "blank");

    /// <summary>The model that describes pictures.</summary>
    public string Base => Path.Combine(Root, "base");

    public string Adapter => Path.Combine(Root, "adapter");

    public string BaseConfig => Path.Combine(Root, "demo_base.yaml");

    public string AdapterConfig => Path.Combine(Root, "demo_lora.yaml");

    /// <summary>The layout in a folder, which is not looked at.</summary>
    public static DemoFolder At(string path)
    {
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, path);
        return new DemoFolder(relative.StartsWith("..", StringComparison.Ordinal) ? Path.GetFullPath(path) : relative);
    }

    /// <summary>An empty folder, marked as the demonstration's own.</summary>
    /// <exception cref="ConfigException">The path is a file, or holds what no demonstration made.</exception>
    public static DemoFolder Create(string path)
    {
        WriteTarget.Folder(path, "--output");
        var folder = At(path);
        var marker = Path.Combine(folder.Root, Marker);
        if (WriteTarget.Entries(folder.Root).Any())
        {
            if (!File.Exists(marker))
            {
                throw new ConfigException($"--output {path}: the folder is not empty and was not made by the demo; name another one");
            }

            folder.Clear();
        }

        Directory.CreateDirectory(folder.Data);
        File.WriteAllText(marker, "Made by 'fovea demo', which replaces this folder's data, models and logs when it runs again.\n");
        return folder;
    }

    /// <summary>Removes what a demonstration writes and nothing else. Its folders stay, empty: they may be links or mount points.</summary>
    private void Clear()
    {
        foreach (var made in new[] { Data, Blank, Base, Adapter }.SelectMany(WriteTarget.Entries))
        {
            if (made is DirectoryInfo folder)
            {
                folder.Delete(recursive: true);
            }
            else
            {
                made.Delete();
            }
        }

        foreach (var made in new[] { BaseConfig, AdapterConfig })
        {
            File.Delete(made);
        }
    }
}
