using System.Buffers;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>The printable character that stands for each byte in byte-level vocabularies: '!'..'~', U+00A1..U+00AC and
/// U+00AE..U+00FF are themselves, the other bytes are U+0100, U+0101, ... in order.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Chars = new char[256];
    private static readonly short[] Bytes = new short[0x144];

    static ByteAlphabet()
    {
        Array.Fill(Bytes, (short)-1);
        var spare = (char)0x100;
        for (var b = 0; b < 256; b++)
        {
            var itself = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            Chars[b] = itself ? (char)b : spare++;
            Bytes[Chars[b]] = (short)b;
        }
    }

    internal static char CharOf(byte value) => Chars[value];

    /// <summary>Appends the bytes that a token stands for; a token with any character outside the alphabet stands for its own UTF-8.</summary>
    internal static void AppendBytes(string token, IBufferWriter<byte> into)
    {
        var bytes = into.GetSpan(Math.Max(1, token.Length));
        for (var i = 0; i < token.Length; i++)
        {
            var value = token[i] < Bytes.Length ? Bytes[token[i]] : (short)-1;
            if (value < 0)
            {
                Encoding.UTF8.GetBytes(token, into);
                return;
            }

            bytes[i] = (byte)value;
        }

        into.Advance(token.Length);
    }
}
