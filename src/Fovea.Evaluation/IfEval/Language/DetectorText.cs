using System.Text;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation.IfEval.Language;

/// <summary>Brings text into the form whose groups of characters langdetect counts.</summary>
internal static partial class DetectorText
{
    private const int MostCharacters = 10000;

    // A character that takes two units and is in no profile.
    private const char Other = '\uE000';
    private const string Vowels = "AEIOUYaeiouyÂÊÔâêôĂăƠơƯư";

    private static readonly Dictionary<char, string> WithMark = new()
    {
        ['\u0300'] = "ÀÈÌÒÙỲàèìòùỳẦỀỒầềồẰằỜờỪừ",
        ['\u0301'] = "ÁÉÍÓÚÝáéíóúýẤẾỐấếốẮắỚớỨứ",
        ['\u0303'] = "ÃẼĨÕŨỸãẽĩõũỹẪỄỖẫễỗẴẵỠỡỮữ",
        ['\u0309'] = "ẢẺỈỎỦỶảẻỉỏủỷẨỂỔẩểổẲẳỞởỬử",
        ['\u0323'] = "ẠẸỊỌỤỴạẹịọụỵẬỆỘậệộẶặỢợỰự",
    };

    /// <summary>The groups of one, two and three characters that any profile has, in the text's order.</summary>
    public static List<string> Grams(string text, LanguageProfiles profiles)
    {
        var grams = new List<string>();
        var window = " ";
        var isCapital = false;
        foreach (var raw in Clean(text))
        {
            var c = Normalize(raw, profiles);
            var last = window[^1];
            if (last == ' ')
            {
                window = " ";
                isCapital = false;
            }
            else if (window.Length >= 3)
            {
                window = window[1..];
            }

            if (last != ' ' || c != ' ')
            {
                window += c;
                isCapital = char.IsUpper(c) && (isCapital || char.IsUpper(last));
            }

            for (var length = 1; length <= window.Length && !isCapital; length++)
            {
                var gram = window[^length..];
                if (gram != " " && profiles.Find(gram) is not null)
                {
                    grams.Add(gram);
                }
            }
        }

        return grams;
    }

    /// <summary>Without addresses and runs of blanks, and without Latin letters where most of it is in another script.</summary>
    private static string Clean(string text)
    {
        text = Mail().Replace(Url().Replace(text, " "), " ");
        text = VietnameseVowel().Replace(text, match => WithMark[match.Value[1]][Vowels.IndexOf(match.Value[0], StringComparison.Ordinal)].ToString());
        var clean = new StringBuilder();
        var (latin, other, count, before) = (0, 0, 0, '\0');
        foreach (var rune in text.EnumerateRunes())
        {
            if (count++ == MostCharacters)
            {
                break;
            }

            var c = rune.IsBmp ? (char)rune.Value : Other;
            if (c != ' ' || before != ' ')
            {
                clean.Append(c);
                latin += IsLatin(c) ? 1 : 0;
                other += c >= '\u0300' ? 1 : 0;
            }

            before = c;
        }

        return latin * 2 < other ? string.Concat(clean.ToString().Where(c => !IsLatin(c))) : clean.ToString();
    }

    // As langdetect has it, with the six marks between the cases.
    private static bool IsLatin(char c) => c is >= 'A' and <= 'z';

    private static char Normalize(char c, LanguageProfiles profiles) => c switch
    {
        < '\u0080' => char.IsAsciiLetter(c) ? c : ' ',
        '\u00a0' or '«' or '°' or '»' => ' ',
        '\u0219' => '\u015f',
        '\u021b' => '\u0163',
        >= '\u2000' and <= '\u206f' => ' ',
        '\u06cc' => '\u064a',
        >= '\u1ea0' and <= '\u1eff' => '\u1ec3',
        >= '\u3040' and <= '\u309f' => '\u3042',
        >= '\u30a0' and <= '\u30ff' => '\u30a2',
        (>= '\u3100' and <= '\u312f') or (>= '\u31a0' and <= '\u31bf') => '\u3105',
        >= '\u4e00' and <= '\u9fff' => profiles.ClassOf(c),
        >= '\uac00' and <= '\ud7af' => '\uac00',
        _ => c,
    };

    [GeneratedRegex(@"https?://[-_.?&~;+=/#0-9A-Za-z]{1,2076}", RegexOptions.CultureInvariant)]
    private static partial Regex Url();

    [GeneratedRegex(@"[-_.0-9A-Za-z]{1,64}@[-_0-9A-Za-z]{1,255}[-_.0-9A-Za-z]{1,255}", RegexOptions.CultureInvariant)]
    private static partial Regex Mail();

    [GeneratedRegex("[AEIOUYaeiouyÂÊÔâêôĂăƠơƯư][\u0300\u0301\u0303\u0309\u0323]", RegexOptions.CultureInvariant)]
    private static partial Regex VietnameseVowel();
}
