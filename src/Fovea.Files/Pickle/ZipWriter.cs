using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Fovea.Files.Pickle;

/// <summary>
/// Writes a zip of stored members, each beginning at a multiple of 64 bytes as torch.save's do, zip64 where sizes need it.
/// (Format: PKWARE APPNOTE 4.3.)
/// </summary>
/// <param name="stream">Must seek: a member's check sum is put into its header afterwards.</param>
/// <param name="wideFrom">Values from here on go into zip64 fields; lower in tests only.</param>
[SuppressMessage("Design", "CA1001", Justification = "The writer leaves the stream to its owner, and is flushed after every member.")]
internal sealed class ZipWriter(Stream stream, long wideFrom = uint.MaxValue)
{
    private const int Alignment = 64;
    private const int CrcAt = 14;
    private const ushort Utf8Names = 0x0800;
    private const ushort PlainVersion = 20;
    private const ushort WideVersion = 45;

    // 1 January 1980, the earliest date of the format: equal content gives equal files.
    private const uint Date = 0x0021_0000;

    private readonly BinaryWriter output = new(stream, Encoding.UTF8, leaveOpen: true);
    private readonly List<(byte[] Name, long Offset, long Length, uint Crc)> members = [];

    public void Add(string name, long length, Action<Stream> write)
    {
        var offset = Position();
        var bytes = Encoding.UTF8.GetBytes(name);
        var wide = length >= wideFrom;
        var fixedBytes = 30 + bytes.Length + (wide ? 20 : 0) + 4;
        var padding = (int)((Alignment - ((offset + fixedBytes) % Alignment)) % Alignment);
        output.Write(0x04034b50u);
        output.Write(wide ? WideVersion : PlainVersion);
        output.Write(Utf8Names);
        output.Write((ushort)0);
        output.Write(Date);
        output.Write(0u);
        output.Write(wide ? uint.MaxValue : (uint)length);
        output.Write(wide ? uint.MaxValue : (uint)length);
        output.Write((ushort)bytes.Length);
        output.Write((ushort)((wide ? 20 : 0) + 4 + padding));
        output.Write(bytes);
        if (wide)
        {
            output.Write((ushort)1);
            output.Write((ushort)16);
            output.Write(length);
            output.Write(length);
        }

        // The padding is an extra field of its own, "FB" as PyTorch marks it.
        output.Write("FB"u8);
        output.Write((ushort)padding);
        output.Write(new byte[padding]);
        output.Flush();
        using var crc = new CrcStream(stream);
        write(crc);
        if (crc.Position != length)
        {
            throw new InvalidOperationException($"{name}: {crc.Position} bytes written where {length} were declared");
        }

        stream.Position = offset + CrcAt;
        output.Write(crc.Crc);
        output.Flush();
        stream.Seek(0, SeekOrigin.End);
        members.Add((bytes, offset, length, crc.Crc));
    }

    /// <summary>Writes the directory; nothing can be added afterwards.</summary>
    public void Finish()
    {
        var start = Position();
        members.ForEach(WriteMember);
        var size = Position() - start;
        if (start >= wideFrom || size >= wideFrom || members.Count >= ushort.MaxValue)
        {
            WriteWideEnd(start, size);
        }

        var count = (ushort)Math.Min(members.Count, ushort.MaxValue);
        output.Write(0x06054b50u);
        output.Write(0u);
        output.Write(count);
        output.Write(count);
        output.Write(Narrow(size));
        output.Write(Narrow(start));
        output.Write((ushort)0);
        output.Flush();
    }

    private void WriteMember((byte[] Name, long Offset, long Length, uint Crc) member)
    {
        var (name, offset, length, crc) = member;
        bool wideLength = length >= wideFrom, wideOffset = offset >= wideFrom;
        var wideBytes = (wideLength ? 16 : 0) + (wideOffset ? 8 : 0);
        output.Write(0x02014b50u);
        output.Write(WideVersion);
        output.Write(wideBytes > 0 ? WideVersion : PlainVersion);
        output.Write(Utf8Names);
        output.Write((ushort)0);
        output.Write(Date);
        output.Write(crc);
        output.Write(Narrow(length));
        output.Write(Narrow(length));
        output.Write((ushort)name.Length);
        output.Write((ushort)(wideBytes > 0 ? wideBytes + 4 : 0));
        output.Write((ushort)0);
        output.Write((ushort)0);
        output.Write((ushort)0);
        output.Write(0u);
        output.Write(Narrow(offset));
        output.Write(name);
        if (wideBytes > 0)
        {
            output.Write((ushort)1);
            output.Write((ushort)wideBytes);
        }

        if (wideLength)
        {
            output.Write(length);
            output.Write(length);
        }

        if (wideOffset)
        {
            output.Write(offset);
        }
    }

    private void WriteWideEnd(long start, long size)
    {
        var at = Position();
        output.Write(0x06064b50u);
        output.Write(44L);
        output.Write(WideVersion);
        output.Write(WideVersion);
        output.Write(0u);
        output.Write(0u);
        output.Write((long)members.Count);
        output.Write((long)members.Count);
        output.Write(size);
        output.Write(start);
        output.Write(0x07064b50u);
        output.Write(0u);
        output.Write(at);
        output.Write(1u);
    }

    private uint Narrow(long value) => value >= wideFrom ? uint.MaxValue : (uint)value;

    private long Position()
    {
        output.Flush();
        return stream.Position;
    }
}
