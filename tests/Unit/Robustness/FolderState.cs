using System.Security.Cryptography;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>Everything in a folder, to see what has become of it.</summary>
internal static class FolderState
{
    /// <summary>Content and time of every file, and every folder, by their paths within.</summary>
    public static SortedDictionary<string, string> Of(string folder)
    {
        var state = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories))
        {
            var content = File.Exists(path) ? $"{Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))} {File.GetLastWriteTimeUtc(path):O}" : "folder";
            state.Add(Path.GetRelativePath(folder, path), content);
        }

        return state;
    }

    /// <summary>The same with one file taken apart, to which a run may add.</summary>
    public static SortedDictionary<string, string> Without(string folder, string name)
    {
        var state = Of(folder);
        state.Remove(name);
        return state;
    }

    /// <summary>A copy of a folder whose times say nothing: later files are the older ones.</summary>
    public static void Copy(string from, string to)
    {
        var time = DateTime.UtcNow;
        foreach (var path in Directory.EnumerateFileSystemEntries(from, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList())
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (File.Exists(path))
            {
                File.Copy(path, target);
                File.SetLastWriteTimeUtc(target, time -= TimeSpan.FromMinutes(1));
            }
        }

        foreach (var path in Directory.EnumerateDirectories(to).Order(StringComparer.Ordinal))
        {
            Directory.SetLastWriteTimeUtc(path, time -= TimeSpan.FromMinutes(1));
        }
    }
}
