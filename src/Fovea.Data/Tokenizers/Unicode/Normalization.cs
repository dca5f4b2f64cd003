using System.Globalization;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>Unicode normalisation forms C and D (UAX #15), which .NET does not perform under InvariantGlobalization.</summary>
internal static class Normalization
{
    private const int HangulS = 0xAC00, HangulL = 0x1100, HangulV = 0x1161, HangulT = 0x11A7;
    private const int CountL = 19, CountV = 21, CountT = 28;

    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<long, int> Compositions = [];
    private static readonly Dictionary<int, byte> Classes = [];

    /// <summary>UTF-16 units of code points that may change under NFC, alone or with what stands before them.</summary>
    private static readonly bool[] UnsafeForC = new bool[0x10000];

    static Normalization()
    {
        foreach (var entry in NormalizationTables.Decompositions.Split(' '))
        {
            var mark = entry.AsSpan().IndexOfAny('=', '>');
            var code = int.Parse(entry.AsSpan(0, mark), NumberStyles.HexNumber);
            var parts = Array.ConvertAll(entry[(mark + 1)..].Split('+'), p => int.Parse(p, NumberStyles.HexNumber));
            Decompositions[code] = parts;
            if (entry[mark] == '=')
            {
                Compositions[Pair(parts[0], parts[1])] = code;
                MarkUnsafe(parts[1]);
            }
            else
            {
                MarkUnsafe(code);
            }
        }

        foreach (var entry in NormalizationTables.CombiningClasses.Split(' '))
        {
            var colon = entry.IndexOf(':');
            var range = entry[..colon].Split('-');
            var first = int.Parse(range[0], NumberStyles.HexNumber);
            var last = int.Parse(range[^1], NumberStyles.HexNumber);
            for (var code = first; code <= last; code++)
            {
                Classes[code] = byte.Parse(entry.AsSpan(colon + 1));
                MarkUnsafe(code);
            }
        }

        for (var code = HangulV; code < HangulT + CountT; code++)
        {
            MarkUnsafe(code);
        }
    }

    /// <summary>The text in form C; the same span when it is already so.</summary>
    internal static ReadOnlySpan<char> ToFormC(ReadOnlySpan<char> text) => IsFormC(text) ? text : Compose(Decompose(text));

    /// <summary>The text in form D.</summary>
    internal static ReadOnlySpan<char> ToFormD(ReadOnlySpan<char> text) =>
        text.ContainsAnyExceptInRange('\0', '\u00BF') ? ToText(Decompose(text), int.MaxValue) : text;

    private static bool IsFormC(ReadOnlySpan<char> text)
    {
        var first = text.IndexOfAnyExceptInRange('\0', '\u02FF');
        if (first < 0)
        {
            return true;
        }

        foreach (var unit in text[first..])
        {
            if (UnsafeForC[unit])
            {
                return false;
            }
        }

        return true;
    }

    private static List<int> Decompose(ReadOnlySpan<char> text)
    {
        var codes = new List<int>(text.Length + 8);
        foreach (var rune in text.EnumerateRunes())
        {
            DecomposeInto(rune.Value, codes);
        }

        OrderMarks(codes);
        return codes;
    }

    private static void DecomposeInto(int code, List<int> into)
    {
        if (code < 0xC0)
        {
            into.Add(code);
        }
        else if ((uint)(code - HangulS) < CountL * CountV * CountT)
        {
            var index = code - HangulS;
            into.Add(HangulL + (index / (CountV * CountT)));
            into.Add(HangulV + (index % (CountV * CountT) / CountT));
            if (index % CountT != 0)
            {
                into.Add(HangulT + (index % CountT));
            }
        }
        else if (Decompositions.TryGetValue(code, out var parts))
        {
            foreach (var part in parts)
            {
                DecomposeInto(part, into);
            }
        }
        else
        {
            into.Add(code);
        }
    }

    /// <summary>Canonical ordering: each run of marks (class above 0) sorted by class, stably.</summary>
    private static void OrderMarks(List<int> codes)
    {
        for (var i = 0; i < codes.Count; i++)
        {
            if (ClassOf(codes[i]) == 0)
            {
                continue;
            }

            var start = i;
            while (i < codes.Count && ClassOf(codes[i]) != 0)
            {
                i++;
            }

            if (i - start > 1)
            {
                var run = codes.GetRange(start, i - start);
                var sorted = run.Select((code, at) => (code, at)).OrderBy(x => ClassOf(x.code)).ThenBy(x => x.at);
                var to = start;
                foreach (var (code, _) in sorted)
                {
                    codes[to++] = code;
                }
            }
        }
    }

    private static string Compose(List<int> codes)
    {
        var starter = -1;
        var lastClass = 0;
        var kept = 0;
        for (var i = 0; i < codes.Count; i++)
        {
            var code = codes[i];
            var mark = ClassOf(code);
            // A mark is blocked from its starter by one of the same or a higher class in between.
            var adjacent = starter >= 0 && (starter == kept - 1 || lastClass != 0 && lastClass < mark);
            if (adjacent && Composition(codes[starter], code) is int composed)
            {
                codes[starter] = composed;
                continue;
            }

            if (mark == 0)
            {
                starter = kept;
            }

            lastClass = mark;
            codes[kept++] = code;
        }

        return ToText(codes, kept);
    }

    private static int? Composition(int first, int second)
    {
        if ((uint)(first - HangulL) < CountL && (uint)(second - HangulV) < CountV)
        {
            return HangulS + ((((first - HangulL) * CountV) + second - HangulV) * CountT);
        }

        if ((uint)(first - HangulS) < CountL * CountV * CountT && (first - HangulS) % CountT == 0 && second > HangulT && second < HangulT + CountT)
        {
            return first + second - HangulT;
        }

        return Compositions.TryGetValue(Pair(first, second), out var composed) ? composed : null;
    }

    private static string ToText(List<int> codes, int count)
    {
        var text = new StringBuilder(codes.Count);
        Span<char> units = stackalloc char[2];
        for (var i = 0; i < Math.Min(count, codes.Count); i++)
        {
            text.Append(units[..new Rune(codes[i]).EncodeToUtf16(units)]);
        }

        return text.ToString();
    }

    private static byte ClassOf(int code) => code >= 0x300 && Classes.TryGetValue(code, out var value) ? value : (byte)0;

    private static long Pair(int first, int second) => ((long)first << 32) | (uint)second;

    private static void MarkUnsafe(int code)
    {
        // A supplementary character is known by its high surrogate: a few too many take the slow path, none escapes it.
        UnsafeForC[code < 0x10000 ? code : 0xD800 + ((code - 0x10000) >> 10)] = true;
    }
}
