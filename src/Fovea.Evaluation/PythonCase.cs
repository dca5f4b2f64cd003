using System.Globalization;
using System.Text;

namespace Fovea.Evaluation;

/// <summary>Which letters Python's <c>isupper</c> and <c>islower</c> see, and how long a text is for it.</summary>
internal static class PythonCase
{
    private const UnicodeCategory Title = UnicodeCategory.TitlecaseLetter;

    /// <summary>At least one letter with a case, and all of them capital.</summary>
    public static bool IsUpper(string text) => Has(text, IsCapital) && !Has(text, c => IsSmall(c) || Rune.GetUnicodeCategory(c) == Title);

    /// <summary>At least one letter with a case, and all of them small.</summary>
    public static bool IsLower(string text) => Has(text, IsSmall) && !Has(text, c => IsCapital(c) || Rune.GetUnicodeCategory(c) == Title);

    /// <summary>Characters as Python counts them: those beyond the first plane are one.</summary>
    public static int Length(string text)
    {
        var length = text.Length;
        for (var i = 1; i < text.Length; i++)
        {
            length -= char.IsSurrogatePair(text[i - 1], text[i]) ? 1 : 0;
        }

        return length;
    }

    private static bool Has(string text, Predicate<Rune> holds)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (holds(rune))
            {
                return true;
            }
        }

        return false;
    }

    // Besides letters of those categories Unicode gives a case to ordinal signs, modifier letters, Roman numerals and letters in circles.
    private static bool IsCapital(Rune c) => Rune.IsUpper(c) || c.Value is (>= 0x2160 and <= 0x216f) or (>= 0x24b6 and <= 0x24cf);

    private static bool IsSmall(Rune c) => Rune.IsLower(c)
        || c.Value is 0xaa or 0xba or (>= 0x2b0 and <= 0x2b8) or (>= 0x2e0 and <= 0x2e4) or (>= 0x2170 and <= 0x217f) or (>= 0x24d0 and <= 0x24e9);
}
