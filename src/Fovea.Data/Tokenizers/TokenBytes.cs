using System.Buffers;
using System.Globalization;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>The bytes that every token of a vocabulary adds to a text. Special tokens add none: a decoder leaves them out.</summary>
internal sealed class TokenBytes
{
    /// <summary>So many tokens are looked at to see whether their texts add up.</summary>
    private const int Probes = 200;

    private readonly ArrayBufferWriter<byte> bytes = new(1 << 16);
    private readonly int[] starts;

    private TokenBytes(Tokenizer tokenizer)
    {
        starts = new int[tokenizer.LargestId + 2];
        var texts = tokenizer.IsByteLevel ? null : new Texts(tokenizer);
        DropsFirstSpace = texts is { DropsFirstSpace: true };
        for (var id = 0; id <= tokenizer.LargestId; id++)
        {
            starts[id] = bytes.WrittenCount;
            if (tokenizer.TokenOf(id) is { } token && !tokenizer.IsSpecial(id))
            {
                if (texts is null)
                {
                    ByteAlphabet.AppendBytes(token, bytes);
                }
                else
                {
                    texts.Append(id, token, bytes);
                }
            }
        }

        starts[^1] = bytes.WrittenCount;
    }

    /// <summary>Ids are below this.</summary>
    public int Count => starts.Length - 1;

    /// <summary>A space at the very beginning of a text is not written.</summary>
    public bool DropsFirstSpace { get; }

    /// <summary>The bytes of one token; none where it adds nothing.</summary>
    public ReadOnlySpan<byte> this[int id] => (uint)id < (uint)Count ? bytes.WrittenSpan[starts[id]..starts[id + 1]] : [];

    /// <exception cref="ConfigException">What a token adds to a text depends on more than the tokens before it.</exception>
    public static TokenBytes Of(Tokenizer tokenizer) => new(tokenizer);

    /// <summary>Tokens whose strings are text: what one adds is seen behind another.</summary>
    private sealed class Texts
    {
        private readonly Tokenizer tokenizer;
        private readonly int anchor = -1;
        private readonly string anchorText = string.Empty;
        private readonly bool fallback;

        public Texts(Tokenizer tokenizer)
        {
            this.tokenizer = tokenizer;
            fallback = tokenizer.IdOf("<0x41>") is { } letter && tokenizer.Decode([letter]) == "A";
            var plain = Enumerable.Range(0, tokenizer.LargestId + 1).Where(id => tokenizer.TokenOf(id) is not null && !tokenizer.IsSpecial(id)).ToList();
            foreach (var id in plain)
            {
                if (tokenizer.Decode([id]) is { Length: > 0 } text && text.All(char.IsAsciiLetter) && tokenizer.Decode([id, id]) == text + text)
                {
                    (anchor, anchorText) = (id, text);
                    break;
                }
            }

            foreach (var id in plain.Where(id => ByteOf(tokenizer.TokenOf(id)!) is null).Take(Probes))
            {
                var text = anchor < 0 ? null : TextOf(id);
                var first = tokenizer.Decode([id]);
                if (text is null || tokenizer.Decode([anchor, id, anchor]) != anchorText + text + anchorText || (first != text && " " + first != text))
                {
                    throw new ConfigException("an answer cannot be constrained with this tokenizer: the text of a token depends on those around it");
                }

                DropsFirstSpace |= first != text;
            }
        }

        public bool DropsFirstSpace { get; }

        public void Append(int id, string token, ArrayBufferWriter<byte> into)
        {
            if (ByteOf(token) is { } value)
            {
                into.Write([value]);
            }
            else
            {
                Encoding.UTF8.GetBytes(TextOf(id), into);
            }
        }

        private string TextOf(int id)
        {
            var text = tokenizer.Decode([anchor, id]);
            return text.StartsWith(anchorText, StringComparison.Ordinal) ? text[anchorText.Length..] : string.Empty;
        }

        private byte? ByteOf(string token) =>
            fallback && token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var value)
                ? value
                : null;
    }
}
