using System.Security.Cryptography;

namespace Fovea.Tests.Unit.Hub;

/// <summary>A cache in lines: every file with its hash, every link with its target.</summary>
internal static class CacheListing
{
    public static string Of(string cache) => string.Concat(Directory.EnumerateFileSystemEntries(cache, "*", SearchOption.AllDirectories)
        .Select(path => (Path: path, Name: Path.GetRelativePath(cache, path)))
        .Where(entry => new FileInfo(entry.Path).LinkTarget is not null || File.Exists(entry.Path))

        // Ours alone; and whose cache it is, each client says in its own words.
        .Where(entry => Path.GetFileName(entry.Name) is not "fovea.lock")
        .OrderBy(entry => entry.Name, StringComparer.Ordinal)
        .Select(entry => entry.Name + " " + (new FileInfo(entry.Path).LinkTarget is { } target ? $"-> {target}"
            : entry.Name == "CACHEDIR.TAG" ? File.ReadLines(entry.Path).First()
            : $"{new FileInfo(entry.Path).Length} {Convert.ToHexStringLower(SHA1.HashData(File.ReadAllBytes(entry.Path)))}") + "\n"));
}
