using System.Security.Cryptography;
using System.Text;

namespace Fovea.Tests.Unit.Hub;

/// <summary>A repository of the stand-in hub: commits of files, and what branches and tags mean.</summary>
internal sealed class FakeRepo
{
    public Dictionary<string, string> Refs { get; } = [];

    public Dictionary<string, SortedDictionary<string, FakeFile>> Commits { get; } = [];

    public bool Gated { get; set; }

    public bool Private { get; set; }

    /// <summary>Commits files to a branch; the commit is a hash of them.</summary>
    public string Commit(string branch, params (string Path, byte[] Content)[] files)
    {
        var tree = new SortedDictionary<string, FakeFile>(StringComparer.Ordinal);
        foreach (var (path, content) in files)
        {
            tree[path] = new FakeFile(content, IsLarge(path) && content.Length > 0);
        }

        var commit = Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(string.Join('\n', tree.Select(file => $"{file.Key} {file.Value.BlobId}")))));
        Commits[commit] = tree;
        Refs[branch] = commit;
        return commit;
    }

    public string? Resolve(string revision) => Refs.GetValueOrDefault(revision) ?? (Commits.ContainsKey(revision) ? revision : null);

    public static bool IsLarge(string path) => Path.GetExtension(path) is ".safetensors" or ".bin" or ".parquet" or ".pth";
}
