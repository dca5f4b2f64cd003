using System.Globalization;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>Classes of code points as the reference's regex engine sees them: \p{L}, \p{N}, \p{M}, Unicode White_Space, \w.</summary>
internal static class CodePoints
{
    internal const byte Letter = 1;
    internal const byte Number = 2;
    internal const byte Space = 4;
    internal const byte Word = 8;
    internal const byte Mark = 16;

    private static readonly byte[] BasicPlane = BuildBasicPlane();

    /// <summary>The code point at <paramref name="index"/> and its class bits; <paramref name="width"/> is 1 or 2 UTF-16 units.</summary>
    internal static byte ClassAt(ReadOnlySpan<char> text, int index, out int width)
    {
        var first = text[index];
        width = 1;
        if (char.IsHighSurrogate(first) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            width = 2;
            return Classify(char.ConvertToUtf32(first, text[index + 1]));
        }

        return BasicPlane[first];
    }

    /// <summary>The class bits of the code point that ends just before <paramref name="end"/> (> 0).</summary>
    internal static byte ClassBefore(ReadOnlySpan<char> text, int end)
    {
        var start = end >= 2 && char.IsLowSurrogate(text[end - 1]) && char.IsHighSurrogate(text[end - 2]) ? end - 2 : end - 1;
        return ClassAt(text, start, out _);
    }

    /// <summary>White space is wholly inside the basic plane, so one UTF-16 unit tells.</summary>
    internal static bool IsSpace(char unit) => (BasicPlane[unit] & Space) != 0;

    /// <summary>Every lone surrogate becomes U+FFFD: the reference sees text as UTF-8, which has none.</summary>
    internal static string ReplaceLoneSurrogates(string text)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
        {
            return text;
        }

        StringBuilder? repaired = null;
        for (var i = first; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                repaired ??= new StringBuilder(text);
                repaired[i] = '\uFFFD';
            }
        }

        return repaired?.ToString() ?? text;
    }

    private static byte Classify(int codePoint)
    {
        var bits = CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter | Word,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber => Number | Word,
            UnicodeCategory.OtherNumber => Number,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Mark | Word,
            UnicodeCategory.ConnectorPunctuation => Word,
            _ => 0,
        };
        // White_Space as Unicode's PropList.txt has it (not U+180E, not U+200B).
        if (codePoint is (>= 9 and <= 13) or 0x20 or 0x85 or 0xA0 or 0x1680 or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000)
        {
            bits |= Space;
        }

        return (byte)bits;
    }

    private static byte[] BuildBasicPlane()
    {
        var classes = new byte[0x10000];
        for (var c = 0; c < classes.Length; c++)
        {
            classes[c] = Classify(c);
        }

        return classes;
    }
}
