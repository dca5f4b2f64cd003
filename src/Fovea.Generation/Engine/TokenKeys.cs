using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Fovea.Data.Images;

namespace Fovea.Generation.Engine;

/// <summary>
/// What tokens are, so that two prompts can be compared: a token of text is its id, a token of an image is the image's content and the token's place in it.
/// </summary>
internal static class TokenKeys
{
    private static readonly ConditionalWeakTable<ProcessedImage, object> Hashes = [];

    /// <param name="standAlone">Whether features of an image depend on nothing but the image; otherwise all images of a prompt are one.</param>
    public static List<long> Of(Prompt prompt, bool standAlone)
    {
        var keys = new List<long>(prompt.Ids.Length + 16);
        foreach (var id in prompt.Ids)
        {
            keys.Add(id);
        }

        var contents = prompt.Images.Select(image => Content(image.Image)).ToArray();
        if (!standAlone && contents.Length > 1)
        {
            Array.Fill(contents, contents.Aggregate(0L, (all, one) => (long)SplitMix.Mix((ulong)all, (ulong)one)));
        }

        for (var i = 0; i < contents.Length; i++)
        {
            var image = prompt.Images[i];
            for (var token = 0; token < image.Tokens; token++)
            {
                // Ids are not negative, so no token of text has such a key.
                keys[image.Offset + token] = long.MinValue | (long)SplitMix.Mix((ulong)contents[i], (ulong)token);
            }
        }

        return keys;
    }

    /// <summary>64 bits of the SHA-256 of an image's size and patches.</summary>
    public static long Content(ProcessedImage image) => (long)Hashes.GetValue(image, static image =>
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<int> grid = [image.Grid.T, image.Grid.H, image.Grid.W];
        hash.AppendData(MemoryMarshal.AsBytes(grid));
        hash.AppendData(MemoryMarshal.AsBytes(image.Patches.AsSpan()));
        return BinaryPrimitives.ReadInt64LittleEndian(hash.GetHashAndReset());
    });
}
