using Fovea.Keys;

namespace Fovea.Models;

/// <summary>Configuration keys of families with a mixture of experts whose router Transformers balances.</summary>
internal sealed record ExpertOptions : FamilyOptions
{
    /// <summary>Mixture of experts: factor of the loss that keeps experts evenly used, added to each batch's; null or 0 for none.</summary>
    [Bounds(0)]
    [Affects(Effect.Learning)] public double? MoeAuxLossCoef { get; init; }

    public override bool RefusedElsewhere => true;
}
