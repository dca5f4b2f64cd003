using System.Security.Cryptography;
using System.Text;

namespace Fovea.Evaluation.Tables;

/// <summary>
/// The images of one file of a benchmark, each in a file of its own under the user's cache, so that a table of gigabytes takes no memory. Made on the first
/// reading; depends on path, length and time of the file. An image is named by its row and its number there.
/// </summary>
internal sealed class PictureStore : IDisposable
{
    private readonly string source;
    private readonly string folder;
    private readonly string working;
    private readonly bool isWhole;

    public PictureStore(string source)
    {
        this.source = source;
        var file = new FileInfo(source);
        var key = $"{file.FullName} {(file.Exists ? file.Length : 0)} {file.LastWriteTimeUtc.Ticks} 1";
        folder = Path.Combine(CacheFolder.Path, "benchmarks", Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..24]);
        working = $"{folder}.{Environment.ProcessId}";
        isWhole = Directory.Exists(folder);
    }

    /// <summary>The image as a file, which is there once the store is whole.</summary>
    /// <exception cref="ConfigException">The cache cannot be written.</exception>
    public MediaSource Save(int row, int number, byte[] image)
    {
        var name = Path.Combine($"{row / 1000:0000}", $"{row}-{number}.image");
        if (!isWhole)
        {
            Write(name, image);
        }

        return Path.Combine(folder, name);
    }

    /// <summary>All images of the file have been saved.</summary>
    /// <exception cref="ConfigException">The cache cannot be written.</exception>
    public void Complete()
    {
        if (!Directory.Exists(working))
        {
            return;
        }

        try
        {
            // Another process may have been first.
            if (!Directory.Exists(folder))
            {
                Directory.Move(working, folder);
            }
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            throw Problem(e);
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(working))
        {
            Directory.Delete(working, recursive: true);
        }
    }

    private void Write(string name, byte[] image)
    {
        try
        {
            var path = Path.Combine(working, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
#pragma warning disable RS0030 // The folder gets its name when it is complete.
            File.WriteAllBytes(path, image);
#pragma warning restore RS0030
        }
        catch (Exception e) when (TextFile.IsUnreadable(e))
        {
            throw Problem(e);
        }
    }

    private ConfigException Problem(Exception e) => new($"the images of {source} cannot be unpacked into {folder}: {e.Message}");
}
