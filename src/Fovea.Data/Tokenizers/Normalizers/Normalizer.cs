namespace Fovea.Data.Tokenizers;

/// <summary>One step that rewrites text before it is split. Returns the input span itself when nothing changes.</summary>
internal abstract class Normalizer
{
    internal abstract ReadOnlySpan<char> Apply(ReadOnlySpan<char> text);
}

/// <summary>Several normalizers one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<Normalizer> steps) : Normalizer
{
    internal override ReadOnlySpan<char> Apply(ReadOnlySpan<char> text)
    {
        foreach (var step in steps)
        {
            text = step.Apply(text);
        }

        return text;
    }
}

/// <summary>Unicode form C or D.</summary>
internal sealed class UnicodeFormNormalizer(bool compose) : Normalizer
{
    internal override ReadOnlySpan<char> Apply(ReadOnlySpan<char> text) => compose ? Normalization.ToFormC(text) : Normalization.ToFormD(text);
}

/// <summary>Puts a fixed string before any text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    internal override ReadOnlySpan<char> Apply(ReadOnlySpan<char> text) => text.IsEmpty ? text : string.Concat(prefix, text);
}

/// <summary>Replaces every occurrence of a plain string.</summary>
internal sealed class ReplaceNormalizer(string pattern, string content) : Normalizer
{
    internal override ReadOnlySpan<char> Apply(ReadOnlySpan<char> text) =>
        text.Contains(pattern, StringComparison.Ordinal) ? text.ToString().Replace(pattern, content, StringComparison.Ordinal) : text;
}

/// <summary>Removes white space on the left, the right or both.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override ReadOnlySpan<char> Apply(ReadOnlySpan<char> text)
    {
        while (left && !text.IsEmpty && CodePoints.IsSpace(text[0]))
        {
            text = text[1..];
        }

        while (right && !text.IsEmpty && CodePoints.IsSpace(text[^1]))
        {
            text = text[..^1];
        }

        return text;
    }
}

/// <summary>Lower-cases each code point on its own (no final sigma), as the reference does; U+0130 becomes i and a dot above.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    internal override ReadOnlySpan<char> Apply(ReadOnlySpan<char> text) =>
        text.ToString().ToLowerInvariant().Replace("\u0130", "i\u0307", StringComparison.Ordinal);
}
