using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>What a weight learns at: the one place that says where that is not the learning rate itself.</summary>
internal static class RateRule
{
    private const string MatrixB = ".lora_B.";

    /// <summary>What the schedule's learning rate is multiplied by for a weight.</summary>
    public static double Factor(TrainConfig config, Parameter parameter) => LoraPlus(config.Tuning, parameter);

    /// <summary>LoRA+: B, and every vector, as LLaMA-Factory groups them.</summary>
    private static double LoraPlus(TuningSection tuning, Parameter parameter) =>
        tuning.LoraplusLrRatio is { } ratio && (parameter.Shape.Length == 1 || parameter.Name.Contains(MatrixB, StringComparison.Ordinal)) ? ratio : 1;
}
