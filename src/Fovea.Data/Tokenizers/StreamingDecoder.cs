using System.Buffers;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>Turns ids into text as they arrive and gives out only whole characters. All pieces with the flush make the text that
/// <see cref="Tokenizer.Decode"/> makes of all ids (malformed runs of fallback bytes may differ in their U+FFFD). For one thread.</summary>
internal sealed class StreamingDecoder
{
    /// <summary>A character is at most 4 fallback bytes; what is still open after so many ids will not be completed.</summary>
    private const int MostPending = 12;

    private readonly Tokenizer tokenizer;
    private readonly bool skipSpecialTokens;
    private readonly Decoder? utf8;
    private readonly ArrayBufferWriter<byte> bytes = new();
    private readonly List<int> pending = [];
    private List<int> context = [];

    internal StreamingDecoder(Tokenizer tokenizer, bool skipSpecialTokens, bool byteLevel)
    {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
        utf8 = byteLevel ? Encoding.UTF8.GetDecoder() : null;
    }

    /// <summary>The text that this id completes; empty while a character is still incomplete.</summary>
    public string Push(int id)
    {
        if (tokenizer.TokenOf(id) is not { } token || skipSpecialTokens && tokenizer.IsSpecial(id))
        {
            return string.Empty;
        }

        if (utf8 is not null)
        {
            bytes.ResetWrittenCount();
            ByteAlphabet.AppendBytes(token, bytes);
            return Characters(bytes.WrittenSpan, flush: false);
        }

        pending.Add(id);
        var text = NewText();
        var complete = text.Length > 0 && text[^1] != '\uFFFD' || pending.Count >= MostPending;
        return complete ? Emit(text) : string.Empty;
    }

    /// <summary>What is left, with U+FFFD for an incomplete character; then the decoder is as new.</summary>
    public string Flush()
    {
        if (utf8 is not null)
        {
            return Characters([], flush: true);
        }

        var text = pending.Count > 0 ? NewText() : string.Empty;
        pending.Clear();
        context = [];
        return text;
    }

    /// <summary>Decoders look at neighbours (a space stripped at the start, say), so the ids given out last are decoded along.</summary>
    private string NewText()
    {
        var before = Decode(context);
        var all = Decode([.. context, .. pending]);
        return all.StartsWith(before, StringComparison.Ordinal) ? all[before.Length..] : Decode(pending);
    }

    private string Emit(string text)
    {
        context = [.. pending];
        pending.Clear();
        return text;
    }

    private string Decode(List<int> ids) => tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids));

    private string Characters(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[utf8!.GetCharCount(bytes, flush)];
        return new string(characters, 0, utf8.GetChars(bytes, characters, flush));
    }
}
