using System.Buffers;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>One step that turns token strings into text; the strings that remain are joined.</summary>
internal abstract class TokenDecoder
{
    internal abstract void Apply(List<string> tokens);
}

/// <summary>Several decoders one after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<TokenDecoder> steps) : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        foreach (var step in steps)
        {
            step.Apply(tokens);
        }
    }
}

/// <summary>Byte stand-ins back to bytes, all of them read as one UTF-8 text.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        var bytes = new ArrayBufferWriter<byte>(tokens.Count * 4 + 16);
        foreach (var token in tokens)
        {
            ByteAlphabet.AppendBytes(token, bytes);
        }

        tokens.Clear();
        tokens.Add(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }
}

/// <summary>Replaces a plain string in every token.</summary>
internal sealed class ReplaceDecoder(string pattern, string content) : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            tokens[i] = tokens[i].Replace(pattern, content, StringComparison.Ordinal);
        }
    }
}

/// <summary>Runs of <c>&lt;0xXX&gt;</c> tokens become the text they encode, or one U+FFFD a byte when they are no valid UTF-8.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    internal override void Apply(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (var token in tokens)
        {
            if (ByteOf(token) is byte value)
            {
                run.Add(value);
                continue;
            }

            Flush(run, result);
            result.Add(token);
        }

        Flush(run, result);
        tokens.Clear();
        tokens.AddRange(result);
    }

    private static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && char.IsAsciiHexDigit(token[3]) && char.IsAsciiHexDigit(token[4])
            ? Convert.ToByte(token[3..5], 16)
            : null;

    private static void Flush(List<byte> run, List<string> result)
    {
        if (run.Count == 0)
        {
            return;
        }

        try
        {
            result.Add(Strict.GetString(run.ToArray()));
        }
        catch (DecoderFallbackException)
        {
            result.Add(new string('\uFFFD', run.Count));
        }

        run.Clear();
    }
}

/// <summary>Joins everything, so that later steps see one string.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        var text = string.Concat(tokens);
        tokens.Clear();
        tokens.Add(text);
    }
}

/// <summary>Takes up to <paramref name="start"/> and <paramref name="stop"/> of one character off the ends of every string.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            var text = tokens[i].AsSpan();
            for (var n = 0; n < start && !text.IsEmpty && text[0] == content; n++)
            {
                text = text[1..];
            }

            for (var n = 0; n < stop && !text.IsEmpty && text[^1] == content; n++)
            {
                text = text[..^1];
            }

            tokens[i] = text.ToString();
        }
    }
}

/// <summary>The replacement character back to a space; none at the very start if one was put there.</summary>
internal sealed class MetaspaceDecoder(char replacement, MetaspacePrefix prefix) : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count; i++)
        {
            tokens[i] = i == 0 && prefix != MetaspacePrefix.Never
                ? tokens[i].Replace(replacement.ToString(), string.Empty, StringComparison.Ordinal)
                : tokens[i].Replace(replacement, ' ');
        }
    }
}

/// <summary>The end-of-word suffix becomes a space, and nothing after the last token.</summary>
internal sealed class BpeSuffixDecoder(string suffix) : TokenDecoder
{
    internal override void Apply(List<string> tokens)
    {
        for (var i = 0; i < tokens.Count && suffix.Length > 0; i++)
        {
            tokens[i] = tokens[i].Replace(suffix, i == tokens.Count - 1 ? string.Empty : " ", StringComparison.Ordinal);
        }
    }
}
