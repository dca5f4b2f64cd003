using Fovea.Keys;
using Fovea.Nn;

namespace Fovea.Models;

/// <summary>Configuration keys of families with a mixture of experts whose router Transformers balances.</summary>
internal sealed record ExpertOptions : FamilyOptions
{
    /// <summary>Mixture of experts: factor of the loss that keeps experts evenly used, added to each batch's; null or 0 for none.</summary>
    [Bounds(0)]
    [Affects(Effect.Learning)] public double? MoeAuxLossCoef { get; init; }

    public override bool RefusedElsewhere => true;

    /// <summary>The factor for a model; 0 for none.</summary>
    /// <param name="options">What the configuration says; null is the defaults.</param>
    /// <param name="experts">The model's; null for a dense one.</param>
    /// <param name="folder">The model's, for errors.</param>
    /// <exception cref="ConfigException">A dense model has no router.</exception>
    public static double RouterLoss(FamilyOptions? options, ExpertShape? experts, string folder)
    {
        var factor = (options as ExpertOptions)?.MoeAuxLossCoef ?? 0;
        return factor > 0 && experts is null ? throw new ConfigException($"moe_aux_loss_coef is for models with experts; {folder} has none") : factor;
    }
}
