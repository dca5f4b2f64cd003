using Fovea.Keys;

namespace Fovea.Models.MiniCpmV46;

/// <summary>Configuration keys of MiniCPM-V-4.6 alone.</summary>
internal sealed record MiniCpmV46Options : FamilyOptions
{
    /// <summary>MiniCPM-V-4.6: patches that become one token, <c>16x</c> or <c>4x</c> (four times the tokens); null is the model's own.</summary>
    [Affects(Effect.Learning)] public string? DownsampleMode { get; init; }

    public override bool RefusedElsewhere => true;
}
