using System.Globalization;
using System.Text.RegularExpressions;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Which base weights learn: by <c>finetuning_type</c> and the freezing keys, as LLaMA-Factory reads them.</summary>
internal static partial class TrainableRule
{
    /// <param name="model">Its layers are counted for <c>freeze</c>.</param>
    public static Func<ModelPart, string, bool> From(TuningSection tuning, ModelSource model)
    {
        var layers = model.Family.CountLayers(model.Config);
        return tuning.FinetuningType switch
        {
            FinetuningType.Full when (tuning.FreezeLlm ?? (tuning.Stage == TrainingStage.Pretrain ? 2 : null)) is { } level => Outer(level, layers),
            FinetuningType.Full => (part, _) => !Frozen(tuning, part),
            FinetuningType.Freeze => Freeze(tuning, layers),
            _ => Additional(tuning),
        };
    }

    /// <summary>Whether gradients reach the vision tower or the projector.</summary>
    public static bool ReachesVision(IEnumerable<string> trainable, Func<string, ModelPart> partOf) =>
        trainable.Any(name => partOf(name) is ModelPart.Vision or ModelPart.Projector);

    /// <summary>The projector, and of the language model everything (0), the first and the last layer (1) or nothing (2).</summary>
    private static Func<ModelPart, string, bool> Outer(int level, int layers) => (part, name) => part == ModelPart.Projector
        || (part == ModelPart.Language && level < 2 && (level == 0
            || (Layer().Match(name) is { Success: true } match
                && int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) is var layer && (layer == 0 || layer == layers - 1))));

    private static bool Frozen(TuningSection tuning, ModelPart part) => part switch
    {
        ModelPart.Vision => tuning.FreezeVisionTower,
        ModelPart.Projector => tuning.FreezeMultiModalProjector,
        _ => tuning.FreezeLanguageModel,
    };

    private static Func<ModelPart, string, bool> Freeze(TuningSection tuning, int layers)
    {
        var n = tuning.FreezeTrainableLayers;
        if (n == 0 || Math.Abs(n) > layers)
        {
            throw new ConfigException($"freeze_trainable_layers: {n} must be between 1 and {layers} (the last layers) or -{layers} and -1 (the first)");
        }

        var (first, last) = n > 0 ? (layers - n, layers - 1) : (0, -n - 1);
        var modules = tuning.FreezeTrainableModules;
        return (part, name) =>
        {
            if (tuning.FreezeExtraModules.Any(m => name.Contains(m, StringComparison.Ordinal)))
            {
                return !Frozen(tuning, part);
            }

            var match = Layer().Match(name);
            return part == ModelPart.Language
                && match.Success
                && int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) is var layer && layer >= first && layer <= last
                && (modules is ["all"] || modules.Any(m => match.Groups[2].Value.Contains(m, StringComparison.Ordinal)));
        };
    }

    /// <summary>With LoRA only the modules learn that are saved whole beside the adapter.</summary>
    private static Func<ModelPart, string, bool> Additional(TuningSection tuning)
    {
        var saved = new PeftConfig { ModulesToSave = tuning.AdditionalTarget };
        return (_, name) => saved.SavesWhole(name);
    }

    [GeneratedRegex(@"(?:^|\.)layers\.(\d+)\.(.*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Layer();
}
