using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Fovea.Data.Images;

/// <summary>
/// Walks a PNG's chunks (W3C PNG, third edition) with Pillow's strictness, so that both refuse the same files: sums are checked up to the picture and never
/// after it, and small chunks that Pillow cannot parse end the reading though they carry no pixels.
/// </summary>
internal sealed class PngChunks(HeaderReader reader)
{
    private const long MostFrames = 0x8000_0000;

    /// <summary>Pillow's limits against texts and profiles that grow: one, and all together.</summary>
    private const int MostText = 1 << 20;
    private const long MostTextAltogether = 64L * MostText;

    private long textBytes;
    private long? sequence;
    private long? frames;

    public PngKind? Kind { get; private set; }

    public long Width { get; private set; }

    public long Height { get; private set; }

    public bool Interlaced { get; private set; }

    /// <summary>Three bytes an entry; null where the file has none.</summary>
    public byte[]? Palette { get; private set; }

    public byte[]? Exif { get; private set; }

    /// <summary>Where the picture lies on the canvas, if an animation's frame says so: left, top, right, bottom.</summary>
    public (long Left, long Top, long Right, long Bottom)? Box { get; private set; }

    /// <summary>A picture outside the animation, which Pillow shows first, counts as a frame.</summary>
    private bool IsAnimated => frames + (Box is null ? 1 : 0) > 1;

    /// <summary>Reads up to the picture's data and gives their length; the reader stands at their first byte.</summary>
    public long FindPicture()
    {
        reader.Position = PngHeader.Signature.Length;
        while (true)
        {
            var (type, length) = Next() ?? throw reader.Bad("is truncated or corrupt: the PNG ends before its picture; fetch it again");
            if (TryHandle(type, length, out var data))
            {
                if (Big(reader.Take(4)) != Crc32.Append(Crc32.Append(0, Encoding.ASCII.GetBytes(type)), data))
                {
                    throw reader.Bad($"is corrupt: the sum of the PNG's chunk {type} does not fit; fetch it again");
                }

                continue;
            }

            return type switch
            {
                "IEND" => throw reader.Bad("is corrupt: the PNG holds no picture"),
                "fdAT" => length - 4L,
                _ => length,
            };
        }
    }

    /// <summary>Reads on behind the picture, from its last chunk's sum, as far as Pillow does: until the end, an animation's next frame, or nonsense.</summary>
    public void CheckTail()
    {
        while (true)
        {
            SkipSum();
            if (Next() is not var (type, length) || type == "IEND" || (type == "fcTL" && IsAnimated))
            {
                return;
            }

            if (!TryHandle(type, length, out _))
            {
                reader.Skip(type == "fdAT" ? length - 4L : length);
            }
        }
    }

    /// <summary>The length of the data that follow in the next chunk; null where the picture's data are over.</summary>
    public long? NextData()
    {
        SkipSum();
        var (type, length) = Next() ?? throw reader.Bad(Truncated);
        switch (type)
        {
            case "IDAT" or "DDAT":
                return length;
            case "fdAT":
                _ = TryHandle(type, length, out _);
                return length - 4L;
            default:
                return null;
        }
    }

    public string Truncated => $"is truncated: the PNG's {reader.Length} bytes end inside the picture; fetch it again";

    /// <summary>The next chunk's type and length; null where the file ends or what follows is no chunk.</summary>
    public (string Type, uint Length)? Next()
    {
        if (reader.Length - reader.Position < 8)
        {
            return null;
        }

        var start = reader.Take(8);
        foreach (var letter in start[4..])
        {
            if (!char.IsAsciiLetterOrDigit((char)letter) && letter != '_')
            {
                return null;
            }
        }

        return (Encoding.ASCII.GetString(start[4..]), Big(start));
    }

    private void SkipSum() => reader.Position = Math.Min(reader.Position + 4, reader.Length);

    /// <summary>Reads a chunk that holds no pixels. False, with nothing read but a frame's number, where it holds some or ends the file.</summary>
    private bool TryHandle(string type, uint length, out byte[] data)
    {
        data = [];
        if (type == "IEND" || (type == "IDAT" && Kind is not null))
        {
            return false;
        }

        if (type == "fdAT")
        {
            Require(length >= 4 && sequence is not null, type);
            CountFrame(Big(reader.Take(4)));
            return false;
        }

        if (length > reader.Length - reader.Position)
        {
            throw reader.Bad($"is truncated or corrupt: the PNG's chunk {type} reaches beyond the {reader.Length} bytes; fetch it again");
        }

        data = reader.TakeArray((int)length);
        Parse(type, data);
        return true;
    }

    private void Parse(string type, byte[] data)
    {
        switch (type)
        {
            case "IHDR":
                Require(data.Length >= 13 && data[11] == 0, type);
                (Width, Height) = (Big(data), Big(data.AsSpan(4)));
                Kind = PngKind.Of(data[8], data[9]) ?? Kind;
                Interlaced |= data[12] != 0;
                break;
            case "PLTE" when Kind?.HasPalette == true:
                Palette = data;
                break;
            case "tRNS":
                Require(data.Length >= (Kind?.TransparencyBytes ?? 0), type);
                break;
            case "eXIf":
                Exif = data;
                break;
            case "gAMA":
                Require(data.Length >= 4, type);
                break;
            case "cHRM":
                Require(data.Length % 4 == 0, type);
                break;
            case "sRGB":
                Require(data.Length >= 1, type);
                break;
            case "pHYs":
                Require(data.Length >= 9, type);
                break;
            case "acTL":
                Require(data.Length >= 8, type);
                frames = frames is null && Big(data) is var count && count is > 0 and <= (uint)MostFrames ? count : null;
                break;
            case "fcTL":
                Require(data.Length >= 26, type);
                CountFrame(Big(data));
                Place(data);
                break;
            case "iCCP":
                var name = data.AsSpan().IndexOf((byte)0);
                Require(data.Length > name + 1 && data[name + 1] == 0, type);
                _ = Inflated(data.AsSpan(name + 2), type);
                break;
            case "tEXt":
                CountText(Math.Max(data.Length - data.AsSpan().IndexOf((byte)0) - 1, 0), type);
                break;
            case "zTXt":
                var key = data.AsSpan().IndexOf((byte)0);
                var text = key < 0 ? [] : data.AsSpan(key + 1);
                Require(text.Length == 0 || text[0] == 0, type);
                CountText(text.Length == 0 ? 0 : Inflated(text[1..], type), type);
                break;
            case "iTXt":
                CountText(International(data), type);
                break;
            default:
                break;
        }
    }

    /// <summary>The bytes of an iTXt's text: key, 0, is packed, how, language, 0, translated key, 0, text.</summary>
    private int International(ReadOnlySpan<byte> data)
    {
        var key = data.IndexOf((byte)0);
        if (key < 0 || data.Length < key + 3)
        {
            return 0;
        }

        var (isPacked, how) = (data[key + 1] != 0, data[key + 2]);
        var rest = data[(key + 3)..];
        for (var part = 0; part < 2; part++)
        {
            var end = rest.IndexOf((byte)0);
            if (end < 0)
            {
                return 0;
            }

            rest = rest[(end + 1)..];
        }

        return !isPacked ? rest.Length : how == 0 ? Inflated(rest, "iTXt") : 0;
    }

    /// <summary>The bytes that packed ones grow to; 0 where they are corrupt, which Pillow forgives.</summary>
    private int Inflated(ReadOnlySpan<byte> packed, string type)
    {
        using var inflater = new ZLibStream(new MemoryStream(packed.ToArray(), writable: false), CompressionMode.Decompress);
        var buffer = new byte[1 << 14];
        var size = 0;
        try
        {
            for (int read; (read = inflater.Read(buffer)) > 0; size += read)
            {
                if (size > MostText)
                {
                    throw reader.Bad($"holds a chunk {type} of more than {MostText} bytes unpacked, which no picture needs; save it without");
                }
            }
        }
        catch (Exception error) when (error is InvalidDataException or IOException)
        {
            return 0;
        }

        return size;
    }

    private void CountText(int bytes, string type)
    {
        textBytes += bytes;
        if (textBytes > MostTextAltogether)
        {
            throw reader.Bad($"holds more than {MostTextAltogether} bytes of text (chunk {type}), which no picture needs; save it without");
        }
    }

    private void CountFrame(uint number)
    {
        Require(number == (sequence + 1 ?? 0), "fcTL or fdAT");
        sequence = number;
    }

    private void Place(ReadOnlySpan<byte> data)
    {
        var (left, top) = ((long)Big(data[12..]), (long)Big(data[16..]));
        Box = (left, top, left + Big(data[4..]), top + Big(data[8..]));
        Require(Box.Value.Right <= Width && Box.Value.Bottom <= Height, "fcTL");
    }

    private void Require(bool isFine, string type)
    {
        if (!isFine)
        {
            throw reader.Bad($"is corrupt: the PNG's chunk {type} makes no sense; fetch it again or save it anew");
        }
    }

    private static uint Big(ReadOnlySpan<byte> data) => BinaryPrimitives.ReadUInt32BigEndian(data);
}
