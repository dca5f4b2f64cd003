using System.Security.Cryptography;
using System.Text;

namespace Fovea.Hub;

/// <summary>Files as git names them, which the hub does too for those that are not in LFS.</summary>
internal static class GitBlob
{
    /// <summary>SHA-1 of the content behind its size, in lower-case hexadecimal digits.</summary>
    /// <param name="content">Read to its end.</param>
    /// <param name="size">In bytes, as it stands in the name.</param>
    public static async Task<string> IdOf(Stream content, long size, CancellationToken cancel)
    {
        using var git = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        git.AppendData(Encoding.ASCII.GetBytes($"blob {size}\0"));
        var buffer = new byte[1 << 16];
        for (int read; (read = await content.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0;)
        {
            git.AppendData(buffer, 0, read);
        }

        return Convert.ToHexStringLower(git.GetHashAndReset());
    }
}
