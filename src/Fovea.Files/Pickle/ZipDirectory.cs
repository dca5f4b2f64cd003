using System.Buffers.Binary;
using System.Text;
using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Files.Pickle;

/// <summary>
/// The members of a zip file, found through its central directory so that their bytes can be used in place. Zip64 included.
/// (Format: PKWARE APPNOTE 4.3.) <c>System.IO.Compression</c> does not tell where a member's bytes lie.
/// </summary>
internal static class ZipDirectory
{
    private const uint EndSignature = 0x06054b50;
    private const uint End64Signature = 0x06064b50;
    private const uint Locator64Signature = 0x07064b50;
    private const uint MemberSignature = 0x02014b50;
    private const uint LocalSignature = 0x04034b50;
    private const int EndBytes = 22;
    private const int MemberBytes = 46;
    private const int LocalBytes = 30;

    public static Dictionary<string, ZipEntry> Read(MappedFile file)
    {
        var (offset, length, count) = FindDirectory(file);
        if (offset < 0 || length < 0 || offset > file.Length - length || length > int.MaxValue || count > length / MemberBytes)
        {
            throw Damaged(file, "its zip directory does not lie inside the file");
        }

        var entries = new Dictionary<string, ZipEntry>(StringComparer.Ordinal);
        var rest = file.Slice(offset, length);
        for (var i = 0L; i < count; i++)
        {
            if (rest.Length < MemberBytes || U32(rest, 0) != MemberSignature)
            {
                throw Damaged(file, $"member {i} of {count} in its zip directory is damaged");
            }

            int nameBytes = U16(rest, 28), extraBytes = U16(rest, 30), commentBytes = U16(rest, 32);
            var size = MemberBytes + nameBytes + extraBytes + commentBytes;
            if (size > rest.Length)
            {
                throw Damaged(file, $"member {i} of {count} in its zip directory is cut off");
            }

            var entry = ReadMember(file, rest[..size], nameBytes, extraBytes);
            if (!entries.TryAdd(entry.Name, entry))
            {
                throw Damaged(file, $"the zip member '{entry.Name}' appears twice");
            }

            rest = rest[size..];
        }

        return entries;
    }

    private static ZipEntry ReadMember(MappedFile file, ReadOnlySpan<byte> member, int nameBytes, int extraBytes)
    {
        var name = Encoding.UTF8.GetString(member.Slice(MemberBytes, nameBytes));
        int flags = U16(member, 8), method = U16(member, 10);
        long packed = U32(member, 20), length = U32(member, 24), local = U32(member, 42);
        var extra = member.Slice(MemberBytes + nameBytes, extraBytes);
        Widen(file, extra, ref length, ref packed, ref local);
        if (method != 0 || (flags & 1) != 0)
        {
            var how = (flags & 1) != 0 ? "encrypted" : "compressed";
            throw FileProblem.In(file.Path, $"the zip member '{name}' is {how}, torch.save stores its members as they are; "
                + "save the file again with torch.save");
        }

        if (packed != length || local < 0 || length < 0 || local > file.Length - LocalBytes)
        {
            throw Damaged(file, $"the zip member '{name}' does not lie inside the file");
        }

        var header = file.Slice(local, LocalBytes);
        if (U32(header, 0) != LocalSignature)
        {
            throw Damaged(file, $"the zip member '{name}' is not where the zip directory says");
        }

        var start = local + LocalBytes + U16(header, 26) + U16(header, 28);
        if (start > file.Length - length)
        {
            throw Damaged(file, $"the zip member '{name}' reaches beyond the end of the file");
        }

        return new ZipEntry(name, start, length, U32(member, 16));
    }

    /// <summary>Takes the 64-bit values of those fields that the 32-bit ones say are elsewhere.</summary>
    private static void Widen(MappedFile file, ReadOnlySpan<byte> extra, ref long length, ref long packed, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = U16(extra, 0), size = U16(extra, 2);
            if (size > extra.Length - 4)
            {
                throw Damaged(file, "an extra field of its zip directory is cut off");
            }

            if (id == 1)
            {
                var wide = extra.Slice(4, size);
                Take(file, ref wide, ref length);
                Take(file, ref wide, ref packed);
                Take(file, ref wide, ref local);
                return;
            }

            extra = extra[(4 + size)..];
        }
    }

    private static void Take(MappedFile file, ref ReadOnlySpan<byte> wide, ref long value)
    {
        if (value != uint.MaxValue)
        {
            return;
        }

        if (wide.Length < 8)
        {
            throw Damaged(file, "a zip64 field of its zip directory is cut off");
        }

        value = BinaryPrimitives.ReadInt64LittleEndian(wide);
        wide = wide[8..];
    }

    private static (long Offset, long Length, long Count) FindDirectory(MappedFile file)
    {
        // The end record is the last thing but a comment of at most 65,535 bytes.
        var tailLength = Math.Min(file.Length, EndBytes + ushort.MaxValue);
        var tail = file.Slice(file.Length - tailLength, tailLength);
        for (var at = tail.Length - EndBytes; at >= 0; at--)
        {
            if (U32(tail, at) != EndSignature || U16(tail, at + 20) != tail.Length - at - EndBytes)
            {
                continue;
            }

            long count = U16(tail, at + 10), length = U32(tail, at + 12), offset = U32(tail, at + 16);
            var position = file.Length - tail.Length + at;
            return Wide(file, position) ?? (offset, length, count);
        }

        throw Damaged(file, "it has no zip directory at its end");
    }

    private static (long Offset, long Length, long Count)? Wide(MappedFile file, long end)
    {
        const int locatorBytes = 20;
        const int recordBytes = 56;
        if (end < locatorBytes || U32(file.Slice(end - locatorBytes, locatorBytes), 0) != Locator64Signature)
        {
            return null;
        }

        var at = BinaryPrimitives.ReadInt64LittleEndian(file.Slice(end - locatorBytes + 8, 8));
        if (at < 0 || at > end - locatorBytes - recordBytes || U32(file.Slice(at, 4), 0) != End64Signature)
        {
            throw Damaged(file, "its zip64 end record is damaged");
        }

        var record = file.Slice(at, recordBytes);
        var count = BinaryPrimitives.ReadInt64LittleEndian(record[32..]);
        var length = BinaryPrimitives.ReadInt64LittleEndian(record[40..]);
        var offset = BinaryPrimitives.ReadInt64LittleEndian(record[48..]);
        return (offset, length, count);
    }

    private static CheckpointException Damaged(MappedFile file, string what) =>
        FileProblem.In(file.Path, $"{what}: truncated or damaged; copy or download it again");

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
