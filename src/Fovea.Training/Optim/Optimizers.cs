using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>The optimizer that a configuration asks for.</summary>
internal static class Optimizers
{
    /// <summary>Makes it over what a rank updates, each weight at the rate that <see cref="RateRule"/> gives it.</summary>
    /// <param name="partOf">The part of the model to which a weight of that name belongs; null where rates do not matter.</param>
    /// <param name="divided">The buffers in which the parts lie (<see cref="ParallelStrategy.Divided"/>); null where the parts are whole weights.</param>
    public static IOptimizer Create(
        TrainConfig config, IReadOnlyList<ParameterShard> parts, Func<string, ModelPart>? partOf = null, IReadOnlyList<FlatShard>? divided = null) =>
        Create(config.Optimizer, parts, divided ?? [], parameter => RateRule.Factor(config, parameter, partOf?.Invoke(parameter.Name) ?? ModelPart.Language));

    /// <summary>
    /// Numbers of state that it keeps for each element of the weights that learn, in the type in which they do: for planning memory before there is one.
    /// </summary>
    /// <param name="size">Bytes of that type.</param>
    public static double StatesPerElement(OptimizerSection options, IEnumerable<Parameter> learning, int size)
    {
        if (options.IsAdamW)
        {
            return AdamW.StatesPerElement;
        }

        var (states, elements) = (0.0, 0L);
        foreach (var weight in learning)
        {
            elements += weight.Count;
            states += options.Kind switch
            {
                OptimizerKind.Sgd => options.OptimArgs.Number("momentum") is > 0 ? weight.Count : 0,
                OptimizerKind.Lion => weight.Count,
                OptimizerKind.Adafactor => (double)Adafactor.States(weight.Shape) * sizeof(float) / size,
                OptimizerKind.Adamw8bit when EightBitAdamW.IsPacked(weight) => (double)EightBitAdamW.Bytes(weight.Count) / size,
                OptimizerKind.Adamw8bit => AdamW.StatesPerElement * weight.Count,
                OptimizerKind.Muon => Muon.IsMatrix(weight) ? weight.Count : AdamW.StatesPerElement * weight.Count,
                var other => throw new ArgumentOutOfRangeException(nameof(options), other, "no such optimizer"),
            };
        }

        return elements == 0 ? 0 : states / elements;
    }

    /// <summary>At which multiples of elements a weight may be divided for it (<see cref="Distributed.ShardingOptions.Alignment"/>).</summary>
    public static long Alignment(OptimizerSection options) => options.Kind == OptimizerKind.Adamw8bit ? EightBitAdamW.BlockSize : 64;

    private static IOptimizer Create(
        OptimizerSection options, IReadOnlyList<ParameterShard> parts, IReadOnlyList<FlatShard> divided, Func<Parameter, double> factor) => options.Kind switch
    {
        OptimizerKind.AdamwTorch or OptimizerKind.AdamwHf or OptimizerKind.AdamwTorchFused => new AdamW(
            parts, options.AdamBeta1, options.AdamBeta2, options.AdamEpsilon, options.WeightDecay, options.DecayNorms, factor),
        OptimizerKind.Sgd => new Sgd(
            parts, options.OptimArgs.Number("momentum") ?? 0, options.OptimArgs.Number("dampening") ?? 0, options.OptimArgs.Flag("nesterov") ?? false,
            options.WeightDecay, options.DecayNorms, factor),
        OptimizerKind.Lion => new Lion(parts, options.AdamBeta1, options.AdamBeta2, options.WeightDecay, options.DecayNorms, factor),
        OptimizerKind.Adafactor => new Adafactor(parts, divided, options.WeightDecay, options.DecayNorms, factor),
        OptimizerKind.Adamw8bit => new EightBitAdamW(
            parts, options.AdamBeta1, options.AdamBeta2, options.AdamEpsilon, options.WeightDecay, options.DecayNorms, factor),
        OptimizerKind.Muon => new Muon(parts, divided, options.AdamBeta1, options.AdamBeta2, options.AdamEpsilon, options.WeightDecay, factor),
        var other => throw new ArgumentOutOfRangeException(nameof(options), other, "no such optimizer"),
    };
}
