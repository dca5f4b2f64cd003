using Fovea.Keys;

namespace Fovea.Models.MiniMindV;

/// <summary>What a configuration can say of MiniMind-V alone.</summary>
public sealed record MiniMindVOptions : FamilyOptions
{
    /// <summary>How a mixture of experts balances them: over the tokens there are, or with padding as the model's own code does.</summary>
    [Affects(Effect.Learning)] public MoeAuxiliary MoeAux { get; init; } = MoeAuxiliary.Tokens;

    /// <summary>For models whose own code trains the wrong tokens of an answer: mended, or as it is there.</summary>
    [Affects(Effect.Learning)] public LabelMask LabelMask { get; init; } = LabelMask.Fixed;

    /// <summary>For models that write reasoning before an answer: part of the rows that keep the empty block where there is none.</summary>
    [Bounds(0, 1)]
    [Affects(Effect.Learning)] public double EmptyThinkRatio { get; init; } = 0.2;

    /// <summary>MiniMind-3V: part of the rows without a system message that get one of <see cref="SystemPrompts"/>.</summary>
    [Bounds(0, 1)]
    [Affects(Effect.Learning)] public double AddSystemRatio { get; init; } = 0.2;

    /// <summary>A file of system messages to draw from, one a line; null is the ten of the model's own code.</summary>
    [FilePath, Affects(Effect.Learning)] public string? SystemPrompts { get; init; }
}
