using System.Text.Json;

namespace Fovea.Generation;

/// <summary>Generation options as text.</summary>
internal static class GenerationText
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Every setting by its name in <c>generation_config.json</c>: answers that depend on the options depend on these.</summary>
    public static IReadOnlyDictionary<string, string> Settings(GenerationOptions options) =>
        JsonSerializer.SerializeToElement(options, Json).EnumerateObject().ToDictionary(setting => setting.Name, setting => setting.Value.GetRawText());

    /// <summary>What matters to a reader, in words: how tokens are chosen, and every rule that is in force.</summary>
    public static string Words(GenerationOptions options)
    {
        var words = new List<string> { options.DoSample ? "drawn" : "greedy" };
        if (options.DoSample)
        {
            words.Add(FormattableString.Invariant($"temperature {options.Temperature}"));
            words.Add(FormattableString.Invariant($"top-p {options.TopP}"));
            words.Add($"top-k {options.TopK}");
            Add(options.MinP > 0, $"min-p {options.MinP}");
            Add(options.Seed is not null, $"seed {options.Seed}");
        }

        words.Add($"at most {options.MaxNewTokens} new tokens");
        Add(options.MinNewTokens > 0, $"at least {options.MinNewTokens}");
        Add(options.RepetitionPenalty != 1, $"repetition penalty {options.RepetitionPenalty}");
        Add(options.PresencePenalty != 0, $"presence penalty {options.PresencePenalty}");
        Add(options.FrequencyPenalty != 0, $"frequency penalty {options.FrequencyPenalty}");
        Add(options.LogitBias.Count > 0, $"bias on {options.LogitBias.Count} tokens");
        Add(options.NoRepeatNgramSize > 0, $"no {options.NoRepeatNgramSize} tokens twice");
        Add(options.StopStrings.Count > 0, $"ends before {string.Join(" or ", options.StopStrings.Select(text => JsonSerializer.Serialize(text)))}");
        Add(options.Adapter is not null, $"adapter {options.Adapter}");
        Add(options.Constraint is not null, $"constrained to {options.Constraint?.Kind}");
        return string.Join(", ", words);

        void Add(bool isSet, FormattableString text)
        {
            if (isSet)
            {
                words.Add(FormattableString.Invariant(text));
            }
        }
    }
}
