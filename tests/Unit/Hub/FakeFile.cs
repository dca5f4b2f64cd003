using System.Security.Cryptography;
using System.Text;

namespace Fovea.Tests.Unit.Hub;

/// <summary>A file of the stand-in hub, in git or, where it is large, beside it.</summary>
internal sealed record FakeFile(byte[] Content, bool Large)
{
    public string Sha256 { get; } = Convert.ToHexStringLower(SHA256.HashData(Content));

    /// <summary>Of the content, or of the pointer to it.</summary>
    public string BlobId => Git(Large ? Encoding.ASCII.GetBytes($"version https://git-lfs.github.com/spec/v1\noid sha256:{Sha256}\nsize {Content.Length}\n")
        : Content);

    public string Etag => Large ? Sha256 : BlobId;

    public static string Git(byte[] content) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
}
