using Fovea.Models.Configs;
using Fovea.Models.Grids;
using Fovea.Models.Hybrids;

namespace Fovea.Models.Qwen35;

/// <summary>
/// Every field of Qwen3.5's config.json: read, held to the values that are computed, or without effect. Later releases may use the same model type: what of
/// theirs is not known is refused.
/// </summary>
internal static class Qwen35Fields
{
    private const string Types = "torch_dtype dtype"; // for chat and plan

    /// <summary>Of the language model, in <c>text_config</c> or flat in the file.</summary>
    public static FieldTable Text => HybridFields.Text;

    /// <summary>As <see cref="Text"/>, of the models with experts.</summary>
    public static FieldTable ExpertsText => HybridFields.ExpertsText;

    public static FieldTable Root { get; } = WithRoot(HybridFields.In(new FieldTable()));

    /// <summary>As <see cref="Root"/>, of the models with experts.</summary>
    public static FieldTable ExpertsRoot { get; } = WithRoot(HybridFields.In(new FieldTable(), experts: true));

    public static FieldTable Vision { get; } = new FieldTable()
        .Read("depth hidden_size num_heads intermediate_size out_hidden_size patch_size temporal_patch_size in_channels spatial_merge_size "
            + "num_position_embeddings deepstack_visual_indexes")
        .Only("the original computes no other in its blocks", "hidden_act", "gelu_pytorch_tanh")
        .Only("the original has it fixed", "rms_norm_eps layer_norm_eps", 1e-6)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout dropout hidden_dropout", 0)
        .Unused("as torch_dtype of the whole", Types);

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root)
    {
        var experts = Qwen35Config.HasExperts(root);
        return
        [
            .. HybridFields.Check(root, experts ? ExpertsRoot : Root, experts),
            .. root.Section("vision_config") is { } vision ? Vision.Check(vision) : [],
        ];
    }

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) => [.. Check(source.Config), .. GridImages.Check(source.Folder)];

    private static FieldTable WithRoot(FieldTable table) => table
        .Read($"{Types} model_type tie_word_embeddings image_token_id vision_config text_config")
        .Only("the vision tower is part of the model", "language_model_only", false)
        .Unused("videos are not read, and image_token_id alone marks images", "video_token_id vision_start_token_id vision_end_token_id");
}
