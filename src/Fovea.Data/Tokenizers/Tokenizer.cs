namespace Fovea.Data.Tokenizers;

/// <summary>A Hugging Face <c>tokenizer.json</c> (byte-pair encoding): text to ids and back, with the ids of the reference implementation.
/// Immutable once loaded; any number of threads may use one.</summary>
internal sealed class Tokenizer
{
    private readonly TokenizerFile file;
    private readonly TokenizerSettings settings;
    private readonly AddedTokenMatcher rawTokens;
    private readonly AddedTokenMatcher normalizedTokens;
    private readonly Dictionary<string, AddedToken> added = new(StringComparer.Ordinal);
    private readonly string?[] tokens;
    private readonly HashSet<int> special = [];

    private Tokenizer(TokenizerFile file, TokenizerSettings settings)
    {
        (this.file, this.settings) = (file, settings);
        foreach (var token in file.AddedTokens.Concat(settings.AddedTokens))
        {
            if (token.Content.Length > 0)
            {
                // The vocabulary's id wins over the one written beside the added token, as in the reference.
                added.TryAdd(token.Content, file.Vocabulary.TryGetValue(token.Content, out var id) ? token with { Id = id } : token);
            }
        }

        tokens = new string?[1 + file.Vocabulary.Values.Concat(added.Values.Select(t => t.Id)).DefaultIfEmpty(-1).Max()];
        foreach (var (token, id) in file.Vocabulary)
        {
            tokens[id] = token;
        }

        foreach (var token in added.Values)
        {
            tokens[token.Id] = token.Content;
            if (token.Special)
            {
                special.Add(token.Id);
            }
        }

        rawTokens = new AddedTokenMatcher(added.Values.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        normalizedTokens = new AddedTokenMatcher(added.Values.Where(t => t.Normalized).Select(t => (Normalize(t.Content).ToString(), t)));
        VocabularySize = file.Vocabulary.Count + added.Keys.Count(t => !file.Vocabulary.ContainsKey(t));
    }

    /// <summary>Number of tokens, base vocabulary and added ones. A model may have more rows.</summary>
    public int VocabularySize { get; }

    /// <summary>The largest id that any token has; -1 where there is none.</summary>
    public int LargestId => tokens.Length - 1;

    /// <summary>The tokens of <c>tokenizer_config.json</c>, null where it is absent or names none.</summary>
    public string? EosToken => settings.Eos;

    /// <inheritdoc cref="EosToken"/>
    public string? PadToken => settings.Pad;

    /// <inheritdoc cref="EosToken"/>
    public string? BosToken => settings.Bos;

    /// <summary>The Jinja chat template of <c>chat_template.jinja</c> or <c>tokenizer_config.json</c>, or null.</summary>
    public string? ChatTemplate => settings.ChatTemplate;

    /// <summary>What the user should know about the tokenizer's files, in sentences.</summary>
    public IReadOnlyList<string> Notices => file.Notices;

    /// <summary>Whether a general regular-expression engine splits text, which may not come to an end.</summary>
    internal bool SplitsByRegex => Notices.Count > 0;

    /// <param name="folderOrFile">A model folder with <c>tokenizer.json</c>, or that file.</param>
    /// <exception cref="ConfigException">The file is absent or malformed, or has components that are not supported: all of them are named.</exception>
    public static Tokenizer Load(string folderOrFile)
    {
        var path = Directory.Exists(folderOrFile) ? Path.Combine(folderOrFile, "tokenizer.json") : folderOrFile;
        if (!File.Exists(path))
        {
            throw new ConfigException($"{path}: not found; a Hugging Face model folder with a tokenizer.json is needed "
                + "(a slow tokenizer is converted by transformers: AutoTokenizer.from_pretrained(...).save_pretrained(...))");
        }

        return new Tokenizer(TokenizerFile.Read(path), TokenizerSettings.Read(Path.GetDirectoryName(Path.GetFullPath(path))!));
    }

    /// <summary>The same with more tokens, numbered behind the largest as Hugging Face's tokenizers do; those that it has as added ones stay.</summary>
    public Tokenizer With(IEnumerable<NewToken> more)
    {
        var next = Math.Max(file.Vocabulary.Count, added.Values.Select(token => token.Id + 1).DefaultIfEmpty(0).Max());
        AddedToken[] tokens =
        [
            .. more.Where(token => !added.ContainsKey(token.Content)).DistinctBy(token => token.Content, StringComparer.Ordinal).Select(token => new AddedToken(
                file.Vocabulary.TryGetValue(token.Content, out var id) ? id : next++, token.Content, token.Special, SingleWord: false, StripLeft: false,
                StripRight: false, Normalized: !token.Special)),
        ];
        return tokens.Length == 0 ? this : new Tokenizer(file, settings with { AddedTokens = [.. settings.AddedTokens, .. tokens] });
    }

    /// <summary>The added token of this text; null where it is none.</summary>
    public AddedToken? Added(string content) => added.GetValueOrDefault(content);

    /// <summary>The ids of a text. Lone surrogates count as U+FFFD.</summary>
    /// <param name="addSpecialTokens">Also what the post-processor puts around a text, such as a begin token.</param>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        var ids = new List<int>((text.Length / 3) + 8);
        if (addSpecialTokens)
        {
            ids.AddRange(file.Template.Before);
        }

        Encode(text, ids);
        if (addSpecialTokens)
        {
            ids.AddRange(file.Template.After);
        }

        return [.. ids];
    }

    /// <summary>Appends the ids of a text, without the post-processor's.</summary>
    public void Encode(string text, List<int> into)
    {
        ArgumentNullException.ThrowIfNull(text);
        var rest = CodePoints.ReplaceLoneSurrogates(text).AsSpan();
        var from = 0;
        while (from < rest.Length)
        {
            var token = rawTokens.Find(rest, from, out var start, out var end);
            EncodeSegment(rest[from..start], from == 0, into);
            if (token is not null)
            {
                into.Add(token.Id);
            }

            from = end;
        }
    }

    /// <summary>The text of ids. Ids without a token are left out, as in the reference.</summary>
    /// <param name="skipSpecialTokens">Leaves out added tokens marked special.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if (TokenOf(id) is { } token && !(skipSpecialTokens && special.Contains(id)))
            {
                tokens.Add(token);
            }
        }

        if (file.Decoder is null)
        {
            return string.Join(' ', tokens);
        }

        file.Decoder.Apply(tokens);
        return string.Concat(tokens);
    }

    /// <summary>The id of an added token or an entry of the vocabulary, as it is written there.</summary>
    public int? IdOf(string token) =>
        this.added.TryGetValue(token, out var added) ? added.Id : file.Vocabulary.TryGetValue(token, out var id) ? id : null;

    /// <summary>The token of an id as the vocabulary writes it, or null where there is none.</summary>
    public string? TokenOf(int id) => (uint)id < (uint)this.tokens.Length ? this.tokens[id] : null;

    /// <summary>Whether an id is an added token marked special.</summary>
    public bool IsSpecial(int id) => special.Contains(id);

    /// <summary>Whether tokens stand for bytes, each by a stand-in character.</summary>
    internal bool IsByteLevel => file.Decoder is ByteLevelDecoder;

    /// <summary>A decoder for ids that arrive one by one.</summary>
    public StreamingDecoder NewStreamingDecoder(bool skipSpecialTokens = true) => new(this, skipSpecialTokens, IsByteLevel);

    private void EncodeSegment(ReadOnlySpan<char> segment, bool atStart, List<int> into)
    {
        if (segment.IsEmpty)
        {
            return;
        }

        var text = Normalize(segment);
        if (normalizedTokens.IsEmpty)
        {
            file.Splitter.Run(text, atStart, into);
            return;
        }

        var from = 0;
        while (from < text.Length)
        {
            var token = normalizedTokens.Find(text, from, out var start, out var end);
            if (start > from)
            {
                file.Splitter.Run(text[from..start], atStart && from == 0, into);
            }

            if (token is not null)
            {
                into.Add(token.Id);
            }

            from = end;
        }
    }

    private ReadOnlySpan<char> Normalize(ReadOnlySpan<char> text) => file.Normalizer is null ? text : file.Normalizer.Apply(text);
}
