namespace Fovea.Tests.Unit.Data;

/// <summary>A folder for one test, removed with all that is in it.</summary>
internal sealed class TempFolder : IDisposable
{
    internal string Root { get; } = Directory.CreateTempSubdirectory("fovea-data-").FullName;

    public void Dispose() => Directory.Delete(Root, recursive: true);

    internal string Write(string name, string text)
    {
        var path = Path.Combine(Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    internal string Write(string name, byte[] bytes)
    {
        var path = Write(name, string.Empty);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
