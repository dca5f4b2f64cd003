using System.Security.Cryptography;
using System.Text;

namespace Fovea.Hub.Pushing;

/// <summary>A file that is to be pushed: one on disk, or one that only the push has.</summary>
/// <param name="Path">In the repository.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Open">Opens its content, each time from the beginning.</param>
internal sealed record PushFile(string Path, long Size, Func<Stream> Open)
{
    private const int SampleBytes = 512;

    public static PushFile Of(string path, string text) => new(path, Encoding.UTF8.GetByteCount(text), () => new MemoryStream(Encoding.UTF8.GetBytes(text)));

    /// <summary>Files below a folder that belong to a result: not hidden ones, not checkpoints, not what another program left unfinished.</summary>
    public static IReadOnlyList<PushFile> In(string folder) =>
    [
        .. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => (Path: path, Name: System.IO.Path.GetRelativePath(folder, path).Replace(System.IO.Path.DirectorySeparatorChar, '/')))
            .Where(file => !file.Name.Split('/').Any(part => part.StartsWith('.') || part.StartsWith('_'))
                && !file.Name.StartsWith("checkpoint-", StringComparison.Ordinal) && !file.Name.EndsWith(".incomplete", StringComparison.Ordinal))
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .Select(file => new PushFile(file.Name, new FileInfo(file.Path).Length, () => new FileStream(
                file.Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan))),
    ];

    /// <summary>Its first bytes, from which the hub sees whether it is text.</summary>
    public byte[] Sample()
    {
        using var stream = Open();
        var sample = new byte[Math.Min(Size, SampleBytes)];
        stream.ReadExactly(sample);
        return sample;
    }

    public byte[] Bytes()
    {
        using var stream = Open();
        var bytes = new byte[Size];
        stream.ReadExactly(bytes);
        return bytes;
    }

    public async Task<string> Sha256(CancellationToken cancel)
    {
        var stream = Open();
        await using (stream.ConfigureAwait(false))
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel).ConfigureAwait(false));
        }
    }

    /// <summary>The name that git has for the content.</summary>
    public async Task<string> GitId(CancellationToken cancel)
    {
        var stream = Open();
        await using (stream.ConfigureAwait(false))
        {
            return await GitBlob.IdOf(stream, Size, cancel).ConfigureAwait(false);
        }
    }
}
