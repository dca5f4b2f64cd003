using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>How answers are generated.</summary>
public sealed record GenerationSection
{
    /// <summary>Sample answers; false always takes the most likely token.</summary>
    [Affects(Output)] public bool DoSample { get; init; } = true;

    /// <summary>Below 1 sharpens, above 1 flattens what is sampled from.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double Temperature { get; init; } = 0.95;

    /// <summary>Sample from the most likely tokens up to this sum of probabilities.</summary>
    [Bounds(0, 1, AboveMin = true)]
    [Affects(Output)] public double TopP { get; init; } = 0.7;

    /// <summary>Most likely tokens to draw from; 0 is all.</summary>
    [Bounds(0)]
    [Affects(Output)] public int TopK { get; init; } = 50;

    /// <summary>Longest answer in tokens.</summary>
    [Bounds(1)]
    [Affects(Output)] public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Above 1 makes repetitions less likely.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double RepetitionPenalty { get; init; } = 1;
}
