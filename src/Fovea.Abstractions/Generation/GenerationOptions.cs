using System.Collections.ObjectModel;

namespace Fovea;

/// <summary>
/// How tokens are chosen and when an answer stops. The names and meanings are those of Transformers' <c>generation_config.json</c>; what it lacks is named as
/// in vLLM. Settings act in this order: repetition penalty, n-grams, minimum length, constraint, bias, presence and frequency penalty, temperature, top k,
/// top p, min p, draw.
/// </summary>
public sealed record GenerationOptions
{
    /// <summary>The most alternatives that <see cref="TopLogprobs"/> may ask for.</summary>
    private const int MostTop = 20;
    private const int MostBias = 100;

    /// <summary>Maximum length of an answer, in tokens; at least 1.</summary>
    public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Before this many tokens neither a stop token nor a stop string ends an answer; 0 to <see cref="MaxNewTokens"/>.</summary>
    public int MinNewTokens { get; init; }

    /// <summary>Sample from the distribution; otherwise greedy: always the most likely token.</summary>
    public bool DoSample { get; init; }

    /// <summary>Divides the logits before sampling; above 0.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Sample from this many most likely tokens, and those that are as likely as the last of them; 0 is all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Sample from the smallest set of most likely tokens whose probabilities reach this sum; above 0, at most 1.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Sample only tokens with at least this share of the most likely token's probability; 0 (all) to 1.</summary>
    public double MinP { get; init; }

    /// <summary>Makes tokens that occurred already, prompt included, less likely when above 1 (arXiv 1909.05858); above 0.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of every token that the answer holds already; -2 to 2.</summary>
    public double PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit once for each time that the answer holds it already; -2 to 2.</summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>What is added to the logits of tokens, by their ids; -100 to 100. About -100 takes a token out, 100 makes it come.</summary>
    public IReadOnlyDictionary<int, double> LogitBias { get; init; } = ReadOnlyDictionary<int, double>.Empty;

    /// <summary>No sequence of this many tokens occurs twice in prompt and answer together; 0 is no such rule.</summary>
    public int NoRepeatNgramSize { get; init; }

    /// <summary>The same seed samples the same tokens; null samples anew each time.</summary>
    public ulong? Seed { get; init; }

    /// <summary>How many answers to sample for one prompt, each with random numbers of its own; at least 1.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyCollection<int> StopIds { get; init; } = [];

    /// <summary>Texts that end an answer, wherever the borders of tokens fall; it ends before the text. None may be empty.</summary>
    public IReadOnlyCollection<string> StopStrings { get; init; } = [];

    /// <summary>
    /// Report the log probability of every token: natural logarithm of the softmax of the model's logits, before anything above acts on them.
    /// </summary>
    public bool Logprobs { get; init; }

    /// <summary>With <see cref="Logprobs"/>: how many of the most likely tokens to report for each place; 0 to 20.</summary>
    public int TopLogprobs { get; init; }

    /// <summary>
    /// Name of the adapter that answers, one of <see cref="VisionModelOptions.NamedAdapters"/>; null is the model as it was loaded.
    /// </summary>
    public string? Adapter { get; init; }

    /// <summary>The form that the text of an answer must have; null is any.</summary>
    public Constraint? Constraint { get; init; }

    /// <summary>Checks the ranges of all settings.</summary>
    /// <param name="where">Put before each problem, for instance the name of a file.</param>
    /// <exception cref="ConfigException">Lists every value that is out of range.</exception>
    public void Check(string where = "")
    {
        var problems = new List<string>();
        Require(MaxNewTokens > 0, $"max_new_tokens is {MaxNewTokens}, must be at least 1");
        Require(MinNewTokens >= 0, $"min_new_tokens is {MinNewTokens}, must be 0 or more");
        Require(
            MinNewTokens <= MaxNewTokens || MinNewTokens < 0 || MaxNewTokens <= 0,
            $"min_new_tokens is {MinNewTokens}, must be at most max_new_tokens, which is {MaxNewTokens}");
        Require(
            !DoSample || (Temperature > 0 && double.IsFinite(Temperature)),
            $"temperature is {Temperature}, must be above 0 (for greedy answers use do_sample: false)");
        Require(TopK >= 0, $"top_k is {TopK}, must be 0 (all) or more");
        Require(TopP is > 0 and <= 1, $"top_p is {TopP}, must be above 0 and at most 1");
        Require(MinP is >= 0 and <= 1, $"min_p is {MinP}, must be between 0 and 1");
        Require(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), $"repetition_penalty is {RepetitionPenalty}, must be above 0");
        Require(PresencePenalty is >= -2 and <= 2, $"presence_penalty is {PresencePenalty}, must be between -2 and 2");
        Require(FrequencyPenalty is >= -2 and <= 2, $"frequency_penalty is {FrequencyPenalty}, must be between -2 and 2");
        Require(LogitBias.Keys.All(id => id >= 0), "logit_bias names a token whose id is negative");
        Require(LogitBias.Values.All(bias => bias is >= -MostBias and <= MostBias), $"logit_bias must be between -{MostBias} and {MostBias}");
        Require(NoRepeatNgramSize >= 0, $"no_repeat_ngram_size is {NoRepeatNgramSize}, must be 0 (no such rule) or more");
        Require(Count >= 1, $"count is {Count}, must be at least 1");
        Require(Count <= 1 || DoSample, $"count is {Count}, but greedy answers to one prompt are all the same (use do_sample: true)");
        Require(TopLogprobs is >= 0 and <= MostTop, $"top_logprobs is {TopLogprobs}, must be between 0 and {MostTop}");
        Require(TopLogprobs == 0 || Logprobs, $"top_logprobs is {TopLogprobs}, which needs logprobs: true");
        Require(StopIds.All(id => id >= 0), "a stop token's id is negative");
        Require(StopStrings.All(text => text is { Length: > 0 }), "stop_strings holds an empty text");
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
}
