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

    /// <summary>Maximum answer length in tokens.</summary>
    [Bounds(1)]
    [Affects(Output)] public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Repetition penalty; values above 1 make repetitions less likely.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Leave special tokens out of the answers and labels that are written; prompts are written with them.</summary>
    [Affects(Output)] public bool SkipSpecialTokens { get; init; } = true;
}
