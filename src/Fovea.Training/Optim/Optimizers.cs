using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>The optimizer that a configuration asks for.</summary>
internal static class Optimizers
{
    /// <summary>Makes it over what a rank updates, each weight at the rate that <see cref="RateRule"/> gives it.</summary>
    public static IOptimizer Create(TrainConfig config, IReadOnlyList<ParameterShard> parts) =>
        Create(config.Optimizer, parts, parameter => RateRule.Factor(config, parameter));

    private static AdamW Create(OptimizerSection options, IReadOnlyList<ParameterShard> parts, Func<Parameter, double> factor) => options.Optim switch
    {
        OptimizerKind.AdamwTorch or OptimizerKind.AdamwHf or OptimizerKind.AdamwTorchFused => new AdamW(
            parts, options.AdamBeta1, options.AdamBeta2, options.AdamEpsilon, options.WeightDecay, options.DecayNorms, factor),
        var other => throw new ArgumentOutOfRangeException(nameof(options), other, "no such optimizer"),
    };

    /// <summary>Numbers of state that it keeps for each element of a weight, in the weight's own type: for planning memory before there is one.</summary>
    public static int StatesPerElement(OptimizerSection options) => options.Optim switch
    {
        OptimizerKind.AdamwTorch or OptimizerKind.AdamwHf or OptimizerKind.AdamwTorchFused => AdamW.StatesPerElement,
        var other => throw new ArgumentOutOfRangeException(nameof(options), other, "no such optimizer"),
    };
}
