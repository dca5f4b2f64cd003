using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>How answers are generated.</summary>
internal sealed record GenerationSection
{
    /// <summary>Sample answers; false is greedy decoding.</summary>
    [Affects(Output)] public bool DoSample { get; init; } = true;

    /// <summary>Sampling temperature: below 1 sharpens the distribution, above 1 flattens it.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double Temperature { get; init; } = 0.95;

    /// <summary>Nucleus sampling: sample from the most likely tokens up to this cumulative probability.</summary>
    [Bounds(0, 1, AboveMin = true)]
    [Affects(Output)] public double TopP { get; init; } = 0.7;

    /// <summary>Sample from this many most likely tokens; 0 is all.</summary>
    [Bounds(0)]
    [Affects(Output)] public int TopK { get; init; } = 50;

    /// <summary>Sample only tokens with at least this share of the most likely token's probability; 0 is all.</summary>
    [Bounds(0, 1)]
    [Affects(Output)] public double MinP { get; init; }

    /// <summary>Maximum answer length in tokens.</summary>
    [Bounds(1)]
    [Affects(Output)] public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Minimum answer length in tokens: before, neither a stop token nor a stop string ends an answer. At most <c>max_new_tokens</c>.</summary>
    [Bounds(0)]
    [Affects(Output)] public int MinNewTokens { get; init; }

    /// <summary>Repetition penalty; values above 1 make repetitions less likely.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Leave special tokens out of the answers and labels that are written; prompts are written with them.</summary>
    [Affects(Output)] public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Subtracted from the logit of every token that the answer holds already.</summary>
    [Bounds(-2, 2)]
    [Affects(Output)] public double PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit once for each time that the answer holds it already.</summary>
    [Bounds(-2, 2)]
    [Affects(Output)] public double FrequencyPenalty { get; init; }

    /// <summary>No sequence of this many tokens occurs twice in prompt and answer together; 0 is no such rule.</summary>
    [Bounds(0)]
    [Affects(Output)] public int NoRepeatNgramSize { get; init; }

    /// <summary>A list of texts that end an answer, which ends before them; one text that is no list is parted at its commas.</summary>
    [Affects(Output)] public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Random seed of sampled answers, for the same answers each time; without one, answers are sampled anew.</summary>
    [Bounds(0)]
    [Affects(Output)] public int? GenerationSeed { get; init; }
}
