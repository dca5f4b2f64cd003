using Fovea.Keys;

namespace Fovea.Models.MiniMindV;

/// <summary>Configuration keys of MiniMind-V alone.</summary>
internal sealed record MiniMindVOptions : FamilyOptions
{
    /// <summary>Load balancing of a mixture of experts: over real tokens only, or including padding as in the model's own code.</summary>
    [Affects(Effect.Learning)] public MoeAuxiliary MoeAux { get; init; } = MoeAuxiliary.Tokens;

    /// <summary>For models whose own code trains the wrong tokens of an answer: corrected, or as in that code.</summary>
    [Affects(Effect.Learning)] public LabelMask LabelMask { get; init; } = LabelMask.Fixed;

    /// <summary>For models that write reasoning before an answer: fraction of the rows without reasoning that keep the empty block.</summary>
    [Bounds(0, 1)]
    [Affects(Effect.Learning)] public double EmptyThinkRatio { get; init; } = 0.2;

    /// <summary>MiniMind-3V: fraction of the rows without a system message that get one of <see cref="SystemPrompts"/>.</summary>
    [Bounds(0, 1)]
    [Affects(Effect.Learning)] public double AddSystemRatio { get; init; } = 0.2;

    /// <summary>A file of system messages to draw from, one per line; null uses the ten in the model's own code.</summary>
    [FilePath, Affects(Effect.Learning)] public string? SystemPrompts { get; init; }
}
