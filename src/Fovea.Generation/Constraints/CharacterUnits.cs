namespace Fovea.Generation.Constraints;

/// <summary>Builds what stands for one character of a set: its UTF-8, or every way in which a JSON text may hold it. Equal sets share a rule.</summary>
internal sealed class CharacterUnits(AutomatonBuilder builder)
{
    /// <summary>What JSON writes after a backslash, and for which character.</summary>
    private static readonly (char Letter, int Code)[] Escapes =
        [('"', '"'), ('\\', '\\'), ('/', '/'), ('b', '\b'), ('f', '\f'), ('n', '\n'), ('r', '\r'), ('t', '\t')];

    private static readonly CodeSet Bare = CodeSet.Of((' ', '!'), ('#', '['), (']', CodeSet.Last));

    // The prefix of the first byte of characters of 1 to 4 bytes, and the last character that so many hold.
    private static readonly (int Prefix, int Last)[] Utf8 = [(0, 0x7F), (0xC0, 0x7FF), (0xE0, 0xFFFF), (0xF0, CodeSet.Last)];

    private readonly Dictionary<string, int> texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> jsons = new(StringComparer.Ordinal);

    /// <summary>A character as it is.</summary>
    public Fragment Text(CodeSet set)
    {
        if (set.IsAscii)
        {
            var fragment = builder.New();
            AddBytes(set, fragment);
            return fragment;
        }

        return Shared(texts, set, fragment => AddBytes(set, fragment));
    }

    /// <summary>A character inside of a JSON text: as it is where it may be, and escaped.</summary>
    public Fragment Json(CodeSet set) => Shared(jsons, set, fragment =>
    {
        AddBytes(set.Without(Bare.Complement()), fragment);
        var escape = builder.NewState();
        builder.Bytes(fragment.Start, '\\', '\\', escape);
        foreach (var (letter, _) in Escapes.Where(escape => set.Contains(escape.Code)))
        {
            builder.Bytes(escape, letter, letter, fragment.End);
        }

        var digits = builder.NewState();
        builder.Bytes(escape, 'u', 'u', digits);
        foreach (var (low, high) in set.Within(0, char.MaxValue).Ranges)
        {
            AddHex(low, high, digits, fragment.End);
        }

        foreach (var (low, high) in set.Within(char.MaxValue + 1, CodeSet.Last).Ranges)
        {
            AddPairs(low - 0x10000, high - 0x10000, digits, fragment.End);
        }
    });

    private Fragment Shared(Dictionary<string, int> known, CodeSet set, Action<Fragment> build)
    {
        if (!known.TryGetValue(set.Key, out var rule))
        {
            rule = builder.Rule(() =>
            {
                var fragment = builder.New();
                build(fragment);
                return fragment;
            });
            known.Add(set.Key, rule);
        }

        return builder.Call(rule);
    }

    private void AddBytes(CodeSet set, Fragment fragment)
    {
        var first = 0;
        for (var length = 1; length <= Utf8.Length; length++)
        {
            var (prefix, last) = Utf8[length - 1];
            foreach (var (low, high) in set.Within(first, last).Ranges)
            {
                foreach (var digits in Split(low, high, length, 6))
                {
                    var at = fragment.Start;
                    for (var i = 0; i < length; i++)
                    {
                        var mark = i == 0 ? prefix : 0x80;
                        var next = i == length - 1 ? fragment.End : builder.NewState();
                        builder.Bytes(at, digits[i].Low | mark, digits[i].High | mark, next);
                        at = next;
                    }
                }
            }

            first = last + 1;
        }
    }

    private void AddHex(int low, int high, int from, int to)
    {
        foreach (var digits in Split(low, high, 4, 4))
        {
            var at = from;
            for (var i = 0; i < digits.Length; i++)
            {
                var next = i == digits.Length - 1 ? to : builder.NewState();
                AddHexDigit(digits[i], at, next);
                at = next;
            }
        }
    }

    private void AddHexDigit((int Low, int High) digit, int from, int to)
    {
        if (digit.Low < 10)
        {
            builder.Bytes(from, '0' + digit.Low, '0' + Math.Min(digit.High, 9), to);
        }

        if (digit.High > 9)
        {
            var low = Math.Max(digit.Low, 10) - 10;
            builder.Bytes(from, 'a' + low, 'a' + digit.High - 10, to);
            builder.Bytes(from, 'A' + low, 'A' + digit.High - 10, to);
        }
    }

    /// <summary>Characters past U+FFFF as two halves.</summary>
    private void AddPairs(int low, int high, int from, int to)
    {
        foreach (var halves in Split(low, high, 2, 10))
        {
            var (first, second, between) = (builder.NewState(), builder.NewState(), builder.NewState());
            AddHex(0xD800 + halves[0].Low, 0xD800 + halves[0].High, from, first);
            builder.Bytes(first, '\\', '\\', between);
            builder.Bytes(between, 'u', 'u', second);
            AddHex(0xDC00 + halves[1].Low, 0xDC00 + halves[1].High, second, to);
        }
    }

    /// <summary>A range of numbers as sequences of ranges of digits, each of which may be chosen for itself.</summary>
    private static List<(int Low, int High)[]> Split(int low, int high, int digits, int bits)
    {
        var found = new List<(int, int)[]>();
        Part(low, high);
        return found;

        void Part(int from, int to)
        {
            for (var i = 1; i < digits; i++)
            {
                var mask = (1 << (bits * i)) - 1;
                if ((from & ~mask) == (to & ~mask))
                {
                    continue;
                }

                if ((from & mask) != 0)
                {
                    Part(from, from | mask);
                    Part((from | mask) + 1, to);
                    return;
                }

                if ((to & mask) != mask)
                {
                    Part(from, (to & ~mask) - 1);
                    Part(to & ~mask, to);
                    return;
                }
            }

            var digit = (1 << bits) - 1;
            found.Add([.. Enumerable.Range(0, digits).Reverse().Select(i =>
                i == digits - 1 ? (from >> (bits * i), to >> (bits * i)) : ((from >> (bits * i)) & digit, (to >> (bits * i)) & digit))]);
        }
    }
}
