using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Fovea.Runs.Files;

/// <summary>
/// Writes a TensorBoard event file: TFRecord frames (length, masked CRC-32C, payload, masked CRC-32C) around <c>tensorflow.Event</c>
/// messages with simple scalars. Fields as in tensorflow/core/util/event.proto and framework/summary.proto.
/// </summary>
internal sealed class TensorBoardWriter : IDisposable
{
    private const byte WallTime = (1 << 3) | 1;
    private const byte Step = 2 << 3;
    private const byte FileVersion = (3 << 3) | 2;
    private const byte Summary = (5 << 3) | 2;
    private const byte SummaryValue = (1 << 3) | 2;
    private const byte Tag = (1 << 3) | 2;
    private const byte SimpleValue = (2 << 3) | 5;

    private readonly FileStream file;

    /// <summary>Starts <c>events.out.tfevents.TIME.HOST.PID.0</c> in <paramref name="folder"/>, which is made.</summary>
    public TensorBoardWriter(string folder, DateTimeOffset time)
    {
        Directory.CreateDirectory(folder);
        var name = $"events.out.tfevents.{time.ToUnixTimeSeconds()}.{Environment.MachineName}.{Environment.ProcessId}.0";
        FilePath = Path.Combine(folder, name);
        file = new FileStream(FilePath, FileMode.Create, FileAccess.Write, FileShare.Read);
        var version = new MemoryStream();
        WriteTime(version, time);
        WriteText(version, FileVersion, "brain.Event:2");
        WriteRecord(version.ToArray());
    }

    public string FilePath { get; }

    /// <summary>Writes scalars of one step and flushes, so that a watching TensorBoard sees them.</summary>
    public void Scalars(DateTimeOffset time, long step, IEnumerable<KeyValuePair<string, double>> values)
    {
        Span<byte> bytes = stackalloc byte[4];
        var summary = new MemoryStream();
        foreach (var (tag, number) in values)
        {
            var value = new MemoryStream();
            WriteText(value, Tag, tag);
            value.WriteByte(SimpleValue);
            BinaryPrimitives.WriteSingleLittleEndian(bytes, (float)number);
            value.Write(bytes);
            WriteMessage(summary, SummaryValue, value);
        }

        var record = new MemoryStream();
        WriteTime(record, time);
        record.WriteByte(Step);
        WriteVarint(record, (ulong)step);
        WriteMessage(record, Summary, summary);
        WriteRecord(record.ToArray());
    }

    public void Dispose() => file.Dispose();

    /// <summary>CRC-32C rotated right by 15 and offset, as TFRecord stores it.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        crc = ~crc;
        return BitOperations.RotateRight(crc, 15) + 0xa282ead8;
    }

    private static void WriteTime(Stream stream, DateTimeOffset time)
    {
        stream.WriteByte(WallTime);
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, (time - DateTimeOffset.UnixEpoch).TotalSeconds);
        stream.Write(bytes);
    }

    private static void WriteText(Stream stream, byte field, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        stream.WriteByte(field);
        WriteVarint(stream, (ulong)bytes.Length);
        stream.Write(bytes);
    }

    private static void WriteMessage(Stream stream, byte field, MemoryStream message)
    {
        stream.WriteByte(field);
        WriteVarint(stream, (ulong)message.Length);
        message.WriteTo(stream);
    }

    private static void WriteVarint(Stream stream, ulong value)
    {
        while (value >= 0x80)
        {
            stream.WriteByte((byte)(value | 0x80));
            value >>= 7;
        }

        stream.WriteByte((byte)value);
    }

    private void WriteRecord(ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], MaskedCrc(head[..8]));
        Span<byte> tail = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(tail, MaskedCrc(payload));
        file.Write(head);
        file.Write(payload);
        file.Write(tail);
        file.Flush();
    }
}
