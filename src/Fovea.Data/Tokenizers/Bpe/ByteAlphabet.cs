using System.Buffers;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>The printable character that stands for each byte in byte-level vocabularies: '!'..'~', U+00A1..U+00AC and
/// U+00AE..U+00FF are themselves, the other bytes are U+0100, U+0101, ... in order.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] s_chars = new char[256];
    private static readonly short[] s_bytes = new short[0x144];

    static ByteAlphabet()
    {
        Array.Fill(s_bytes, (short)-1);
        var spare = (char)0x100;
        for (var b = 0; b < 256; b++)
        {
            var itself = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            s_chars[b] = itself ? (char)b : spare++;
            s_bytes[s_chars[b]] = (short)b;
        }
    }

    internal static char CharOf(byte value) => s_chars[value];

    /// <summary>Appends the bytes that a token stands for; a token with any character outside the alphabet stands for its own UTF-8.</summary>
    internal static void AppendBytes(string token, IBufferWriter<byte> into)
    {
        var bytes = into.GetSpan(Math.Max(1, token.Length));
        for (var i = 0; i < token.Length; i++)
        {
            var value = token[i] < s_bytes.Length ? s_bytes[token[i]] : (short)-1;
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
