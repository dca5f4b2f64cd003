using System.Text.Json;
using Fovea.Data.Tokenizers;

namespace Fovea.Generation;

/// <summary>A model folder's <c>generation_config.json</c>.</summary>
internal static class GenerationFile
{
    private const string FileName = "generation_config.json";

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
            MinP = Real("min_p", plain.MinP),
            RepetitionPenalty = Real("repetition_penalty", plain.RepetitionPenalty),
            PresencePenalty = Real("presence_penalty", plain.PresencePenalty),
            FrequencyPenalty = Real("frequency_penalty", plain.FrequencyPenalty),
            MinNewTokens = Get("min_new_tokens") is { } least ? Whole("min_new_tokens", least, "a whole number") : plain.MinNewTokens,
            NoRepeatNgramSize = Get("no_repeat_ngram_size") is { } size ? Whole("no_repeat_ngram_size", size, "a whole number") : plain.NoRepeatNgramSize,
            StopStrings = Get("stop_strings") is { } texts ? Texts("stop_strings", texts) : plain.StopStrings,
        };

        JsonElement? Get(string key) => root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

        int Whole(string key, JsonElement value, string expected) =>
            JsonText.Whole(value) is >= 0 and <= int.MaxValue and { } number ? (int)number : throw Wrong(key, value, expected);

        double Real(string key, double otherwise) =>
            Get(key) is not { } value ? otherwise : JsonText.Real(value) ?? throw Wrong(key, value, "a number");

        IReadOnlyCollection<string> Texts(string key, JsonElement value)
        {
            JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
            return [.. items.Select(item => item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Wrong(key, value, "a text, or a list of them"))];
        }

        ConfigException Wrong(string key, JsonElement value, string expected) => new($"{path}: {key} must be {expected}, not {JsonText.Show(value)}");
    }
}
