using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Fovea.Data.Tokenizers;

/// <summary>Byte-pair encoding of one piece of text: the last stage. Threads share it; short pieces are remembered in a bounded cache.</summary>
internal sealed class BpeModel : PreTokenizer
{
    private const int CachedLength = 40;
    private const int CachedPieces = 1 << 16;
    private const int StackSymbols = 256;

    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> vocabulary;
    private readonly MergeTable merges;
    private readonly BpeSettings settings;
    private readonly int[] byteIds = new int[256];
    private readonly int[] fallbackIds = new int[256];
    private readonly int longestToken;
    private readonly ConcurrentDictionary<string, int[]> cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> cached;
    private int cacheCount;

    internal BpeModel(Dictionary<string, int> vocabulary, MergeTable merges, BpeSettings settings)
    {
        this.vocabulary = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        this.merges = merges;
        this.settings = settings;
        cached = cache.GetAlternateLookup<ReadOnlySpan<char>>();
        longestToken = vocabulary.Keys.Select(k => k.Length).DefaultIfEmpty(0).Max();
        for (var b = 0; b < 256; b++)
        {
            byteIds[b] = vocabulary.GetValueOrDefault(ByteAlphabet.CharOf((byte)b).ToString(), -1);
            fallbackIds[b] = vocabulary.GetValueOrDefault($"<0x{b:X2}>", -1);
        }
    }

    internal override void Run(ReadOnlySpan<char> piece, bool atStart, List<int> into)
    {
        if (piece.IsEmpty)
        {
            return;
        }

        var cacheable = piece.Length <= CachedLength;
        if (cacheable && cached.TryGetValue(piece, out var known))
        {
            into.AddRange(known.AsSpan());
            return;
        }

        // One UTF-16 unit is at most 3 UTF-8 bytes; a byte-level stand-in itself may fall back to 2 bytes.
        var most = piece.Length * (settings.ByteLevel && settings.ByteFallback ? 6 : 3);
        var rented = most > StackSymbols ? ArrayPool<int>.Shared.Rent(most) : null;
        Span<int> ids = rented is null ? stackalloc int[StackSymbols] : rented;
        var count = Encode(piece, ids);
        into.AddRange((ReadOnlySpan<int>)ids[..count]);
        if (cacheable && cacheCount < CachedPieces && cache.TryAdd(piece.ToString(), ids[..count].ToArray()))
        {
            Interlocked.Increment(ref cacheCount);
        }

        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    private int Encode(ReadOnlySpan<char> piece, Span<int> ids)
    {
        if (settings.IgnoreMerges && WholePiece(piece) is int whole)
        {
            ids[0] = whole;
            return 1;
        }

        var symbols = new SymbolWriter(this, ids);
        if (settings.ByteLevel)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(piece.Length * 3);
            var length = Encoding.UTF8.GetBytes(piece, buffer);
            foreach (var value in buffer.AsSpan(0, length))
            {
                symbols.Add(byteIds[value], [ByteAlphabet.CharOf(value)]);
            }

            ArrayPool<byte>.Shared.Return(buffer);
        }
        else
        {
            while (!piece.IsEmpty)
            {
                var width = char.IsHighSurrogate(piece[0]) && piece.Length > 1 ? 2 : 1;
                symbols.Add(vocabulary.TryGetValue(piece[..width], out var id) ? id : -1, piece[..width]);
                piece = piece[width..];
            }
        }

        return BpeMerger.Merge(ids[..symbols.Finish()], merges);
    }

    private int? WholePiece(ReadOnlySpan<char> piece)
    {
        if (piece.Length > longestToken)
        {
            return null;
        }

        if (!settings.ByteLevel)
        {
            return vocabulary.TryGetValue(piece, out var id) ? id : null;
        }

        var bytes = Encoding.UTF8.GetBytes(piece.ToString());
        return vocabulary.TryGetValue(string.Create(bytes.Length, bytes, (text, b) =>
        {
            for (var i = 0; i < b.Length; i++)
            {
                text[i] = ByteAlphabet.CharOf(b[i]);
            }
        }), out var found) ? found : null;
    }

    /// <summary>Collects the first symbols of a piece, with what stands in for characters outside the vocabulary.</summary>
    private ref struct SymbolWriter(BpeModel model, Span<int> ids)
    {
        private readonly Span<int> ids = ids;
        private int count;
        private bool unknownPending;

        internal void Add(int id, scoped ReadOnlySpan<char> symbol)
        {
            if (id >= 0)
            {
                FlushUnknown();
                ids[count++] = id;
            }
            else if (!(model.settings.ByteFallback && AddBytes(symbol)) && model.settings.UnknownId is not null)
            {
                if (unknownPending && !model.settings.FuseUnknown)
                {
                    FlushUnknown();
                }

                // As in the reference, a pending unknown waits for the next known symbol, past fallback bytes.
                unknownPending = true;
            }
        }

        internal int Finish()
        {
            FlushUnknown();
            return count;
        }

        private void FlushUnknown()
        {
            if (unknownPending)
            {
                ids[count++] = model.settings.UnknownId!.Value;
                unknownPending = false;
            }
        }

        private bool AddBytes(scoped ReadOnlySpan<char> symbol)
        {
            Span<byte> bytes = stackalloc byte[4];
            bytes = bytes[..Encoding.UTF8.GetBytes(symbol, bytes)];
            foreach (var value in bytes)
            {
                if (model.fallbackIds[value] < 0)
                {
                    return false;
                }
            }

            foreach (var value in bytes)
            {
                ids[count++] = model.fallbackIds[value];
            }

            return true;
        }
    }
}
