using System.Text.Json;

namespace Fovea.Data.Tokenizers;

/// <summary>The parts of a <c>tokenizer.json</c>, each checked and built.</summary>
internal sealed class TokenizerFile
{
    /// <summary>Far above any published vocabulary; larger ids are taken for damage.</summary>
    internal const int LargestId = 1 << 24;

    private readonly List<string> problems = [];
    private readonly Dictionary<string, JsonElement> parts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonElement> model = new(StringComparer.Ordinal);
    private MergeTable? merges;

    private TokenizerFile(string path)
    {
        var bytes = TextFile.ReadBytes(path);
        try
        {
            Scan(bytes.Span);
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{path}: not a valid tokenizer.json: {JsonText.Explain(bytes.Span, e)}");
        }

        Build();

        if (problems.Count > 0)
        {
            throw new ConfigException([.. problems.Select(p => $"{path}: {p}")]);
        }
    }

    internal Dictionary<string, int> Vocabulary { get; private set; } = [];

    internal List<AddedToken> AddedTokens { get; } = [];

    /// <summary>What the user should know about the file, in sentences.</summary>
    internal List<string> Notices { get; } = [];

    internal Normalizer? Normalizer { get; private set; }

    internal PreTokenizer Splitter { get; private set; } = null!;

    internal TokenDecoder? Decoder { get; private set; }

    internal (int[] Before, int[] After) Template { get; private set; }

    internal static TokenizerFile Read(string path) => new(path);

    private void Scan(ReadOnlySpan<byte> json)
    {
        JsonText.RefuseHalfSurrogates(json);
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("a JSON object is expected");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == "model" && reader.TokenType == JsonTokenType.StartObject)
            {
                ScanModel(ref reader);
            }
            else if (!parts.TryAdd(name, JsonElement.ParseValue(ref reader)))
            {
                problems.Add($"{name} stands twice");
            }
        }

        reader.Read(); // nothing may follow
    }

    private void ScanModel(ref Utf8JsonReader reader)
    {
        Utf8JsonReader merges = default;
        var hasMerges = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == "vocab" && reader.TokenType == JsonTokenType.StartObject)
            {
                Vocabulary = VocabularyReader.Vocabulary(ref reader, problems);
            }
            else if (name == "merges" && reader.TokenType == JsonTokenType.StartArray)
            {
                // Merges need the vocabulary, which may come later: remember the place.
                merges = reader;
                hasMerges = true;
                reader.Skip();
            }
            else
            {
                model[name] = JsonElement.ParseValue(ref reader);
            }
        }

        if (hasMerges)
        {
            this.merges = VocabularyReader.Merges(ref merges, Vocabulary, problems);
        }
    }

    private void Build()
    {
        var options = new Component(JsonSerializer.SerializeToElement(model), "model", problems);
        if (options.Type is not ("BPE" or ""))
        {
            options.Unsupported("BPE");
        }
        else if (Vocabulary.Count == 0 || this.merges is null)
        {
            problems.Add("model: vocab and merges are missing or empty");
        }

        foreach (var key in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (!string.IsNullOrEmpty(options.Text(key)))
            {
                options.Report($"{key} \"{options.Text(key)}\" is not supported");
            }
        }

        if (options.Has("dropout") && options.Json.GetProperty("dropout") is var dropout
            && JsonText.Real(dropout) != 0)
        {
            options.Report("dropout is not supported: merges would be left out at random");
        }

        Normalizer = ComponentReader.Normalizer(Part("normalizer"));
        Decoder = ComponentReader.Decoder(Part("decoder"));
        Template = ComponentReader.PostProcessor(Part("post_processor"));
        ReadAddedTokens();

        var steps = PreTokenizerReader.Flatten(Part("pre_tokenizer"));
        var settings = new BpeSettings(
            PreTokenizerReader.EndsInByteLevel(steps),
            options.Flag("ignore_merges"),
            options.Flag("byte_fallback"),
            Unknown(options),
            options.Flag("fuse_unk"));
        Splitter = PreTokenizerReader.Chain(steps, new BpeModel(Vocabulary, this.merges ?? new MergeTable(0), settings));
    }

    private int? Unknown(Component options)
    {
        if (options.Text("unk_token") is not { Length: > 0 } unknown)
        {
            return null;
        }

        if (Vocabulary.TryGetValue(unknown, out var id))
        {
            return id;
        }

        options.Report($"unk_token \"{unknown}\" is not in the vocabulary");
        return null;
    }

    private void ReadAddedTokens()
    {
        if (!parts.TryGetValue("added_tokens", out var tokens) || tokens.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        foreach (var item in tokens.EnumerateArray())
        {
            if (AddedTokenReader.Read(item) is { } token)
            {
                AddedTokens.Add(token);
            }
            else
            {
                problems.Add($"added_tokens: {JsonText.Show(item)} is no token: an object with \"id\" and \"content\" is expected");
            }
        }
    }

    private Component Part(string name) => new(parts.GetValueOrDefault(name), name, problems) { Notices = Notices };
}
