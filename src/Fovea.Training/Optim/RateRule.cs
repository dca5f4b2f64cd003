using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Optim;

/// <summary>What a weight learns at: the one place that says where that is not the learning rate itself.</summary>
internal static class RateRule
{
    private const string MatrixB = ".lora_B.";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly ConcurrentDictionary<string, Regex> Known = new();

    /// <summary>What the schedule's learning rate is multiplied by for a weight.</summary>
    /// <param name="part">Where it belongs to.</param>
    public static double Factor(TrainConfig config, Parameter parameter, ModelPart part) =>
        LoraPlus(config.Tuning, parameter)
        * ((OfName(config.Schedule, parameter.Name) ?? OfPart(config.Schedule, part)) is { } own ? own / config.Schedule.LearningRate : 1);

    /// <summary>Why a text is no regular expression; null where it is one.</summary>
    public static string? Problem(string pattern)
    {
        try
        {
            Find(pattern);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    /// <summary>A rate of its own for what does not learn is a mistake.</summary>
    /// <param name="learning">Names of all that learns.</param>
    /// <exception cref="ConfigException">There is one.</exception>
    public static void Check(TrainConfig config, IEnumerable<string> learning, Func<string, ModelPart> partOf)
    {
        var names = learning.ToList();
        var parts = names.Select(partOf).ToHashSet();
        string?[] problems =
        [
            .. config.Schedule.LrByName.Keys.Where(pattern => !names.Exists(name => Find(pattern).IsMatch(name))).Select(pattern => Nowhere(pattern, names)),
            Problem(ModelPart.Vision, "vit_lr", "the vision tower", "freeze_vision_tower"),
            Problem(ModelPart.Projector, "aligner_lr", "the projector", "freeze_multi_modal_projector"),
        ];
        if (problems.OfType<string>().ToList() is { Count: > 0 } found)
        {
            throw new ConfigException(found);
        }

        string? Problem(ModelPart part, string key, string what, string freeze) => OfPart(config.Schedule, part) is null || parts.Contains(part)
            ? null
            : $"{key}: nothing of {what} is trainable; {freeze}: false trains it";
    }

    /// <summary>As <c>re.search</c>: anywhere in the name, as the model's checkpoint and its adapters spell it.</summary>
    private static double? OfName(ScheduleSection schedule, string name)
    {
        foreach (var (pattern, rate) in schedule.LrByName)
        {
            if (Find(pattern).IsMatch(name))
            {
                return rate;
            }
        }

        return null;
    }

    private static Regex Find(string pattern) => Known.GetOrAdd(pattern, text => new Regex(text, RegexOptions.CultureInvariant, Patience));

    private static string Nowhere(string pattern, List<string> learning)
    {
        var letters = new string([.. pattern.Where(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.')]).Trim('.');
        var near = learning.OrderBy(name => NearestKey.Distance(letters, name)).Take(3).ToList();
        return $"lr_by_name: '{pattern}' matches no trainable weight; names are for instance {string.Join(", ", near)}";
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
