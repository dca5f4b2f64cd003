using System.Text.Json;
using Fovea.Data.Tokenizers;

namespace Fovea.Generation;

/// <summary>How tokens are chosen and when to stop. The names and meanings are those of Transformers' <c>generation_config.json</c>.</summary>
internal sealed record GenerationOptions
{
    private const string FileName = "generation_config.json";

    /// <summary>Most tokens to make.</summary>
    public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Draw from the distribution; otherwise always the most likely token.</summary>
    public bool DoSample { get; init; }

    /// <summary>Divides the logits before drawing; above 0.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Draw from this many most likely tokens; 0 is all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Draw from the fewest most likely tokens whose probabilities reach this sum; above 0 up to 1.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Makes tokens that occurred already, prompt included, less likely when above 1 (arXiv 1909.05858).</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>The same seed draws the same tokens; null draws anew each time.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyCollection<int> StopIds { get; init; } = [];

    /// <summary>The settings of a model folder's <c>generation_config.json</c> where it has one; stop tokens also from the tokenizer.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="stopWords">More tokens that end an answer, for instance those of the chat template.</param>
    /// <exception cref="ConfigException">The file is malformed or a value out of range.</exception>
    public static GenerationOptions Read(string folder, Tokenizer tokenizer, IEnumerable<string>? stopWords = null)
    {
        var stops = new SortedSet<int>();
        foreach (var word in (stopWords ?? []).Append(tokenizer.EosToken))
        {
            if (word is not null && tokenizer.IdOf(word) is { } id)
            {
                stops.Add(id);
            }
        }

        var path = Path.Combine(folder, FileName);
        var options = new GenerationOptions();
        if (File.Exists(path))
        {
            using var json = JsonFile.ReadObject(path);
            options = Parse(json.RootElement, path, stops);
            GenerationFields.Check(path);
        }

        options = options with { StopIds = stops };
        options.Check($"{path}: ");
        return options;
    }

    /// <summary>Throws a <see cref="ConfigException"/> with everything that is out of range.</summary>
    public void Check(string where = "")
    {
        var problems = new List<string>();
        Require(MaxNewTokens > 0, $"max_new_tokens is {MaxNewTokens}, must be at least 1");
        Require(
            !DoSample || (Temperature > 0 && double.IsFinite(Temperature)),
            $"temperature is {Temperature}, must be above 0 (for greedy answers use do_sample: false)");
        Require(TopK >= 0, $"top_k is {TopK}, must be 0 (all) or more");
        Require(TopP is > 0 and <= 1, $"top_p is {TopP}, must be above 0 and at most 1");
        Require(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), $"repetition_penalty is {RepetitionPenalty}, must be above 0");
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Require(bool condition, string problem)
        {
            if (!condition)
            {
                problems.Add(where + problem);
            }
        }
    }

    private static GenerationOptions Parse(JsonElement root, string path, SortedSet<int> stops)
    {
        var plain = new GenerationOptions();
        if (Get("eos_token_id") is { } eos)
        {
            IEnumerable<JsonElement> ids = eos.ValueKind == JsonValueKind.Array ? eos.EnumerateArray() : [eos];
            stops.UnionWith(ids.Select(id => Whole("eos_token_id", id, "a token's id, or a list of them")));
        }

        return plain with
        {
            MaxNewTokens = Get("max_new_tokens") is { } most ? Whole("max_new_tokens", most, "a whole number") : plain.MaxNewTokens,
            DoSample = Get("do_sample") is { } sample
                ? sample.ValueKind is JsonValueKind.True or JsonValueKind.False ? sample.GetBoolean() : throw Wrong("do_sample", sample, "true or false")
                : plain.DoSample,
            Temperature = Real("temperature", plain.Temperature),
            TopK = Get("top_k") is { } k ? Whole("top_k", k, "a whole number") : plain.TopK,
            TopP = Real("top_p", plain.TopP),
            RepetitionPenalty = Real("repetition_penalty", plain.RepetitionPenalty),
        };

        JsonElement? Get(string key) => root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

        int Whole(string key, JsonElement value, string expected) =>
            JsonText.Whole(value) is >= 0 and <= int.MaxValue and { } number ? (int)number : throw Wrong(key, value, expected);

        double Real(string key, double otherwise) =>
            Get(key) is not { } value ? otherwise : JsonText.Real(value) ?? throw Wrong(key, value, "a number");

        ConfigException Wrong(string key, JsonElement value, string expected) => new($"{path}: {key} must be {expected}, not {JsonText.Show(value)}");
    }
}
