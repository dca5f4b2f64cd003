namespace Fovea.Hub;

/// <summary>A file of a commit, as the hub's listing describes it.</summary>
/// <param name="Path">With '/' between its parts.</param>
/// <param name="Size">In bytes; of the content, not of a pointer to it.</param>
/// <param name="BlobId">SHA-1 that git has for what the repository itself holds: the content, or the pointer to it.</param>
/// <param name="Sha256">Of the content, where it is stored beside git.</param>
/// <param name="XetHash">Of the content in Xet storage; such files come over plain HTTPS as all others.</param>
internal sealed record HubFile(string Path, long Size, string BlobId, string? Sha256 = null, string? XetHash = null)
{
    /// <summary>What names the content in a cache.</summary>
    public string Etag => Sha256 ?? BlobId;

    /// <summary>Whether a path of a listing stays inside the folder that it is to lie in.</summary>
    public static bool IsSafe(string path) => path.Length > 0 && path[0] != '/' && !path.Contains('\0') && !path.Contains('\\')
        && path.Split('/').All(part => part is not ("" or "." or ".."));
}
