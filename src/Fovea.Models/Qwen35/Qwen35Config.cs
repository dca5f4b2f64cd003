using System.Diagnostics.CodeAnalysis;
using Fovea.Models.Grids;
using Fovea.Models.Hybrids;

namespace Fovea.Models.Qwen35;

/// <summary>A Qwen3.5 checkpoint's config.json, in the spelling of Transformers 4 and 5.</summary>
internal sealed record Qwen35Config : HybridText
{
    public const string ModelType = "qwen3_5";

    /// <summary>The models with a mixture of experts in every layer; the rest is the dense models'.</summary>
    public const string ExpertsType = "qwen3_5_moe";

    [SetsRequiredMembers]
    private Qwen35Config(HybridText text, int imageToken, LearnedTowerConfig vision)
        : base(text) => (ImageTokenId, Vision) = (imageToken, vision);

    public int ImageTokenId { get; init; }

    public LearnedTowerConfig Vision { get; init; }

    /// <param name="root">Of the config.json file.</param>
    public static Qwen35Config Read(ConfigReader root)
    {
        if (root.Text("model_type") is not (ModelType or ExpertsType))
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" or \"{ExpertsType}\" for this model family");
        }

        Qwen35Fields.Check(root);
        var text = root.Section("text_config") ?? root;
        var vision = LearnedTowerConfig.Read(root.Section("vision_config") ?? throw root.Wrong("vision_config", "an object"), []);
        var config = new Qwen35Config(HybridText.Read(root, text, HasExperts(root)), root.Int("image_token_id", 248056), vision);
        config.Validate(root, text);
        return config;
    }

    /// <summary>Whether the file describes one of the models with experts.</summary>
    internal static bool HasExperts(ConfigReader root) => root.Text("model_type") == ExpertsType;

    private void Validate(ConfigReader root, ConfigReader text)
    {
        if (Vision.OutHiddenSize != HiddenSize)
        {
            throw text.Wrong("hidden_size", $"the vision tower's out_hidden_size {Vision.OutHiddenSize}");
        }

        if (Vision.FeatureBlocks.Length > 0)
        {
            throw root.Section("vision_config")!.Wrong("deepstack_visual_indexes", "an empty list: this model's layers take nothing from blocks of the tower");
        }
    }
}
