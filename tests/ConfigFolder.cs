using System.Text.Json.Nodes;

namespace Fovea.Tests;

/// <summary>A copy of a small model folder whose weights are links and whose JSON files a test changes.</summary>
internal sealed class ConfigFolder : IDisposable
{
    /// <param name="golden">A folder of tests/goldens.</param>
    public ConfigFolder(string golden)
    {
        Path = Directory.CreateTempSubdirectory("fovea-config").FullName;
        foreach (var file in Directory.GetFiles(TestFiles.Golden(golden)))
        {
            var target = System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file));
            if (file.EndsWith(".safetensors", StringComparison.Ordinal))
            {
                File.CreateSymbolicLink(target, file);
            }
            else
            {
                File.Copy(file, target);
            }
        }
    }

    public string Path { get; }

    /// <summary>Changes a field of a JSON file, or removes it.</summary>
    /// <param name="key">With the objects that it lies in, parted by dots.</param>
    /// <param name="json">Its new value as JSON; null removes it.</param>
    public void Set(string key, string? json, string file = "config.json")
    {
        var path = System.IO.Path.Combine(Path, file);
        var root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        var keys = key.Split('.');
        var at = root;
        foreach (var part in keys.SkipLast(1))
        {
            at = at[part]!.AsObject();
        }

        at.Remove(keys[^1]);
        if (json is not null)
        {
            at[keys[^1]] = JsonNode.Parse(json);
        }

        File.WriteAllText(path, root.ToJsonString());
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
