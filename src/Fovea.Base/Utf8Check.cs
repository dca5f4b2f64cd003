using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Fovea;

/// <summary>Looks at a text piece by piece, without a copy: the first byte that is not UTF-8 is an error with its line and its place in the line.</summary>
/// <param name="name">How messages call the text; null to begin them with the line.</param>
/// <param name="from">Where it begins, as messages count; null is at line 1.</param>
internal sealed class Utf8Check(string? name, TextPlace? from = null)
{
    private readonly byte[] carried = new byte[4];
    private int carry;
    private TextPlace place = from ?? TextPlace.Start;
    private bool begun;

    /// <summary>3 where the bytes begin with UTF-8's byte order mark, which is no part of the text; else 0.</summary>
    public static int MarkLength(ReadOnlySpan<byte> bytes) => bytes.StartsWith("\uFEFF"u8) ? 3 : 0;

    /// <summary>The encoding that the first bytes of a text give away, when it is not UTF-8; null otherwise.</summary>
    /// <param name="start">At least the first four bytes, unless there are fewer.</param>
    public static string? OtherEncoding(ReadOnlySpan<byte> start) => start switch
    {
        [0xFF, 0xFE, 0, 0, ..] or [0, 0, 0xFE, 0xFF, ..] => "UTF-32",
        [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] => "UTF-16",

        // Without a mark: the first characters of JSON, YAML and templates are nearly always ASCII.
        [not 0, 0, 0, 0, ..] or [0, 0, 0, not 0, ..] => "UTF-32",
        [not 0, 0, not 0, 0, ..] or [0, not 0, 0, not 0, ..] or [not 0, 0] or [0, not 0] => "UTF-16",
        _ => null,
    };

    /// <summary>What to do about another encoding.</summary>
    public static string SaveIt(string encoding) => $"save it as UTF-8 (for instance: iconv -f {encoding} -t UTF-8)";

    /// <exception cref="ConfigException">A place is not UTF-8, or a NUL byte, which no text holds.</exception>
    public void Next(ReadOnlySpan<byte> bytes)
    {
        if (!begun && bytes.Length > 0)
        {
            begun = true;
            if (OtherEncoding(bytes) is { } other)
            {
                throw new ConfigException($"{name ?? "the text"} is {other}; {SaveIt(other)}");
            }
        }

        if (carry > 0)
        {
            bytes = Finish(bytes);
        }

        if (Utf8.IsValid(bytes) && !bytes.Contains((byte)0))
        {
            Count(bytes);
            return;
        }

        while (bytes.Length > 0)
        {
            var status = Rune.DecodeFromUtf8(bytes, out var rune, out var length);
            if (status == OperationStatus.NeedMoreData)
            {
                bytes.CopyTo(carried);
                carry = bytes.Length;
                return;
            }

            Refuse(status, rune, bytes);
            Count(bytes[..length]);
            bytes = bytes[length..];
        }
    }

    /// <exception cref="ConfigException">The text ends inside a character.</exception>
    public void End()
    {
        if (carry > 0)
        {
            throw new ConfigException($"{Place()}: the text ends in the middle of a character (was the file cut?)");
        }
    }

    private ReadOnlySpan<byte> Finish(ReadOnlySpan<byte> bytes)
    {
        while (carry > 0 && bytes.Length > 0)
        {
            carried[carry++] = bytes[0];
            bytes = bytes[1..];
            var status = Rune.DecodeFromUtf8(carried.AsSpan(0, carry), out var rune, out _);
            if (status != OperationStatus.NeedMoreData)
            {
                Refuse(status, rune, carried);
                place = place with { Column = place.Column + carry };
                carry = 0;
            }
        }

        return bytes;
    }

    private void Refuse(OperationStatus status, Rune rune, ReadOnlySpan<byte> at)
    {
        if (status == OperationStatus.InvalidData)
        {
            throw new ConfigException($"{Place()}: 0x{at[0]:X2} is not UTF-8, which is expected; save the file as UTF-8, or fix this place");
        }

        if (rune.Value == 0)
        {
            throw new ConfigException($"{Place()}: a NUL byte, where text is expected; is the file damaged, or not a text?");
        }
    }

    private void Count(ReadOnlySpan<byte> bytes) => place = place.At(bytes, bytes.Length);

    private string Place() => $"{(name is null ? string.Empty : $"{name} ")}line {place.Line}, byte {place.Column}";
}
