using System.Security.Cryptography;
using System.Text;

namespace Fovea.AspNetCore.Http;

/// <summary>Keys that requests may carry. They are compared in a time that does not depend on what is right about a wrong one, and are never shown.</summary>
internal sealed class ApiKeys(IReadOnlyList<string> keys)
{
    private const string Scheme = "Bearer ";
    private readonly byte[][] hashes = [.. keys.Select(Hash)];

    /// <summary>Whether one is needed.</summary>
    public bool Any => hashes.Length > 0;

    /// <param name="authorization">The header's value.</param>
    public bool Admit(string? authorization)
    {
        if (!Any)
        {
            return true;
        }

        var given = authorization?.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) == true ? authorization[Scheme.Length..].Trim() : string.Empty;
        var hash = Hash(given);
        var right = false;
        foreach (var key in hashes)
        {
            right |= CryptographicOperations.FixedTimeEquals(key, hash);
        }

        return right;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
