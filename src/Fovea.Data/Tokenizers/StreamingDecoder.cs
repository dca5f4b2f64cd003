using System.Buffers;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>Turns ids into text as they arrive and gives out only whole characters. All pieces with the flush make the text that
/// <see cref="Tokenizer.Decode"/> makes of all ids (malformed runs of fallback bytes may differ in their U+FFFD). For one thread.</summary>
public sealed class StreamingDecoder
{
    /// <summary>A character is at most 4 fallback bytes; what is still open after so many ids will not be completed.</summary>
    private const int MostPending = 12;

    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly Decoder? _utf8;
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private readonly List<int> _pending = [];
    private List<int> _context = [];

    internal StreamingDecoder(Tokenizer tokenizer, bool skipSpecialTokens, bool byteLevel)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _utf8 = byteLevel ? Encoding.UTF8.GetDecoder() : null;
    }

    /// <summary>The text that this id completes; empty while a character is still incomplete.</summary>
    public string Push(int id)
    {
        if (_tokenizer.TokenOf(id) is not { } token || _skipSpecialTokens && _tokenizer.IsSpecial(id))
        {
            return string.Empty;
        }

        if (_utf8 is not null)
        {
            _bytes.ResetWrittenCount();
            ByteAlphabet.AppendBytes(token, _bytes);
            return Characters(_bytes.WrittenSpan, flush: false);
        }

        _pending.Add(id);
        var text = NewText();
        var complete = text.Length > 0 && text[^1] != '\uFFFD' || _pending.Count >= MostPending;
        return complete ? Emit(text) : string.Empty;
    }

    /// <summary>What is left, with U+FFFD for an incomplete character; then the decoder is as new.</summary>
    public string Flush()
    {
        if (_utf8 is not null)
        {
            return Characters([], flush: true);
        }

        var text = _pending.Count > 0 ? NewText() : string.Empty;
        _pending.Clear();
        _context = [];
        return text;
    }

    /// <summary>Decoders look at neighbours (a space stripped at the start, say), so the ids given out last are decoded along.</summary>
    private string NewText()
    {
        var before = Decode(_context);
        var all = Decode([.. _context, .. _pending]);
        return all.StartsWith(before, StringComparison.Ordinal) ? all[before.Length..] : Decode(_pending);
    }

    private string Emit(string text)
    {
        _context = [.. _pending];
        _pending.Clear();
        return text;
    }

    private string Decode(List<int> ids) => _tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids));

    private string Characters(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[_utf8!.GetCharCount(bytes, flush)];
        return new string(characters, 0, _utf8.GetChars(bytes, characters, flush));
    }
}
