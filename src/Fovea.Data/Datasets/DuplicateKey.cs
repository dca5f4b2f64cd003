using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Fovea.Data.Images;

namespace Fovea.Data.Datasets;

/// <summary>Hashes of what a row says, by which equal rows are found: 16 bytes of SHA-256.</summary>
internal static class DuplicateKey
{
    /// <summary>
    /// Of the conversation, and how many bytes each image has: rows that differ in it are different, and no image was read. Where the row is from does not
    /// count.
    /// </summary>
    public static UInt128 OfText(Conversation conversation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, conversation.Tools ?? string.Empty);
        foreach (var message in conversation.Messages)
        {
            Add(hash, (int)message.Role);
            foreach (var part in message.Parts)
            {
                Add(hash, part);
            }
        }

        return Finish(hash);
    }

    /// <summary>Of the bytes of all images, whatever their files are called.</summary>
    /// <exception cref="ImageException">One cannot be read.</exception>
    public static UInt128 OfImages(Conversation conversation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var image in conversation.Images)
        {
            hash.AppendData(new MediaContent(image).Hash());
        }

        return Finish(hash);
    }

    private static void Add(IncrementalHash hash, Part part)
    {
        switch (part)
        {
            case Text text:
                Add(hash, 1);
                Add(hash, text.Value);
                break;
            case Image image:
                Add(hash, 2);
                Add(hash, image.Source.Length ?? MediaContent.Stamp(image.Source)?.Length ?? -1);
                break;
            default:
                // Records of numbers and texts, which are written out in full.
                Add(hash, 3);
                Add(hash, part.ToString());
                break;
        }
    }

    private static void Add(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.AppendData(bytes);
    }

    private static void Add(IncrementalHash hash, string text)
    {
        Add(hash, text.Length);
        hash.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
    }

    private static UInt128 Finish(IncrementalHash hash)
    {
        Span<byte> bytes = stackalloc byte[32];
        hash.GetHashAndReset(bytes);
        return BinaryPrimitives.ReadUInt128LittleEndian(bytes);
    }
}
