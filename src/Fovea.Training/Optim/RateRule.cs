using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>What a weight learns at: the one place that says where that is not the learning rate itself.</summary>
internal static class RateRule
{
    private const string MatrixB = ".lora_B.";

    /// <summary>What the schedule's learning rate is multiplied by for a weight.</summary>
    /// <param name="part">Where it belongs to.</param>
    public static double Factor(TrainConfig config, Parameter parameter, ModelPart part) =>
        LoraPlus(config.Tuning, parameter) * (OfPart(config.Schedule, part) is { } own ? own / config.Schedule.LearningRate : 1);

    /// <summary>A rate of its own for a part of which nothing learns is a mistake.</summary>
    /// <param name="learning">Names of all that learns.</param>
    /// <exception cref="ConfigException">There is one.</exception>
    public static void Check(TrainConfig config, IEnumerable<string> learning, Func<string, ModelPart> partOf)
    {
        var parts = learning.Select(partOf).ToHashSet();
        string?[] problems =
        [
            Problem(ModelPart.Vision, "vit_lr", "the vision tower", "freeze_vision_tower"),
            Problem(ModelPart.Projector, "aligner_lr", "the projector", "freeze_multi_modal_projector"),
        ];
        if (problems.OfType<string>().ToList() is { Count: > 0 } found)
        {
            throw new ConfigException(found);
        }

        string? Problem(ModelPart part, string key, string what, string freeze) => OfPart(config.Schedule, part) is null || parts.Contains(part)
            ? null
            : $"{key}: nothing of {what} learns, whose rate it is; {freeze}: false trains it";
    }

    private static double? OfPart(ScheduleSection schedule, ModelPart part) => part switch
    {
        ModelPart.Vision => schedule.VitLr,
        ModelPart.Projector => schedule.AlignerLr,
        _ => null,
    };

    /// <summary>LoRA+: B, and every vector, as LLaMA-Factory groups them.</summary>
    private static double LoraPlus(TuningSection tuning, Parameter parameter) =>
        tuning.LoraplusLrRatio is { } ratio && (parameter.Shape.Length == 1 || parameter.Name.Contains(MatrixB, StringComparison.Ordinal)) ? ratio : 1;
}
