using System.Globalization;
using System.Text.Json;

namespace Fovea.Generation.Constraints;

/// <summary>Expressions for numbers between bounds.</summary>
internal static class SchemaNumbers
{
    private const decimal Most = 1_000_000_000_000_000_000;

    /// <summary>Whole numbers; null where there are no bounds.</summary>
    /// <exception cref="ConfigException">A bound is no number, or too large.</exception>
    public static string? Integer(IEnumerable<SchemaFact> facts)
    {
        var (least, most) = ((long?)null, (long?)null);
        foreach (var (fact, bound, isLeast, open) in Bounds(facts))
        {
            var whole = isLeast ? decimal.Ceiling(bound) : decimal.Floor(bound);
            whole += open && whole == bound ? (isLeast ? 1 : -1) : 0;
            var value = (long)whole;
            least = isLeast ? Math.Max(least ?? value, value) : least;
            most = isLeast ? most : Math.Min(most ?? value, value);
        }

        if (least is null && most is null)
        {
            return null;
        }

        var parts = new List<string>();
        if (least is null or < 0)
        {
            parts.AddRange(Digits(most is < 0 ? -most.Value : 1, least is null ? null : -least.Value).Select(part => "-" + part));
        }

        if (most is null or >= 0)
        {
            parts.AddRange(Digits(Math.Max(least ?? 0, 0), most));
        }

        return string.Join('|', parts);
    }

    /// <summary>Numbers with a fraction, or without; null where there are no bounds.</summary>
    /// <exception cref="ConfigException">A bound is no whole number.</exception>
    public static string? Number(IEnumerable<SchemaFact> facts)
    {
        var (least, most) = (((long Value, bool Open)?)null, ((long Value, bool Open)?)null);
        foreach (var (fact, bound, isLeast, open) in Bounds(facts))
        {
            if (decimal.Floor(bound) != bound)
            {
                throw fact.Scope.Wrong($"{fact.Keyword} {bound.ToString(CultureInfo.InvariantCulture)} is not supported for numbers that need not be whole: "
                    + "only whole bounds are");
            }

            var value = ((long)bound, open);
            if (isLeast)
            {
                least = least is { } l && (l.Value > value.Item1 || (l.Value == value.Item1 && l.Open)) ? l : value;
            }
            else
            {
                most = most is { } m && (m.Value < value.Item1 || (m.Value == value.Item1 && m.Open)) ? m : value;
            }
        }

        if (least is null && most is null)
        {
            return null;
        }

        var parts = new List<string>();
        if (least is null or { Value: < 0 })
        {
            // Below 0 the bounds change places; 0 itself is on the other side, written without a sign.
            var from = most is { Value: < 0 } top ? (-top.Value, top.Open) : (0, true);
            parts.AddRange(Reals(from, least is { } bottom ? (-bottom.Value, bottom.Open) : null).Select(part => "-" + part));
        }

        if (most is null or { Value: >= 0 })
        {
            parts.AddRange(Reals(least is { Value: >= 0 } bottom ? bottom : (0, false), most));
        }

        return string.Join('|', parts);
    }

    private static IEnumerable<(SchemaFact Fact, decimal Bound, bool IsLeast, bool Open)> Bounds(IEnumerable<SchemaFact> facts)
    {
        foreach (var fact in facts)
        {
            if (fact.Keyword is not ("minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum"))
            {
                continue;
            }

            if (fact.Value.Json.ValueKind != JsonValueKind.Number || !fact.Value.Json.TryGetDecimal(out var bound) || Math.Abs(bound) >= Most)
            {
                throw fact.Scope.Wrong($"{fact.Keyword} {JsonText.Show(fact.Value.Json)} is not supported: a number of at most 18 digits is expected");
            }

            yield return (fact, bound, fact.Keyword.EndsWith("inimum", StringComparison.Ordinal), fact.Keyword.StartsWith('e'));
        }
    }

    /// <summary>Numbers of at least 0 between two whole ones, the bounds themselves too unless they are open.</summary>
    private static IEnumerable<string> Reals((long Value, bool Open) least, (long Value, bool Open)? most)
    {
        if (most is { } top && (top.Value < least.Value || (top.Value == least.Value && (top.Open || least.Open))))
        {
            yield break;
        }

        if (!least.Open)
        {
            yield return $"{least.Value}(\\.0+)?";
        }

        if (most?.Value == least.Value)
        {
            yield break;
        }

        yield return $"{least.Value}\\.[0-9]*[1-9][0-9]*";
        foreach (var whole in Digits(least.Value + 1, most?.Value - 1))
        {
            yield return $"{whole}(\\.[0-9]+)?";
        }

        if (most is { Open: false } last)
        {
            yield return $"{last.Value}(\\.0+)?";
        }
    }

    /// <summary>Whole numbers of at least 0 in a range, which may have no end, by their digits.</summary>
    private static IEnumerable<string> Digits(long least, long? most)
    {
        if (most is null)
        {
            var power = Power(Length(least));
            return [.. Digits(least, power - 1), $"[1-9][0-9]{{{Length(least)},}}"];
        }

        return Ranges(least, most.Value);
    }

    private static IEnumerable<string> Ranges(long least, long most)
    {
        while (least <= most)
        {
            // The largest block 10^n numbers wide that begins here and does not go past the end.
            var size = 1L;
            while (least != 0 && least % (size * 10) == 0 && size * 10 <= most - least + 1)
            {
                size *= 10;
            }

            // As many of these blocks as differ in one digit only.
            var digit = least / size % 10;
            var blocks = Math.Min(10 - digit, (most - least + 1) / size);
            var head = least / size / 10;
            var tail = Length(size) - 1;
            yield return (head == 0 ? string.Empty : head.ToString(CultureInfo.InvariantCulture)) + $"[{digit}-{digit + blocks - 1}]"
                + (tail == 0 ? string.Empty : $"[0-9]{{{tail}}}");
            least += blocks * size;
        }
    }

    private static int Length(long value) => value.ToString(CultureInfo.InvariantCulture).Length;

    private static long Power(int digits)
    {
        var power = 1L;
        for (var i = 0; i < digits; i++)
        {
            power *= 10;
        }

        return power;
    }
}
