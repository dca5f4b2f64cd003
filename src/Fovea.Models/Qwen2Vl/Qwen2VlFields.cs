using Fovea.Models.Configs;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen2Vl;

/// <summary>Every field of Qwen2-VL's config.json and preprocessor_config.json: read, held to the values that are computed, or without effect.</summary>
internal static class Qwen2VlFields
{
    public static FieldTable Text => Qwen2TextFields.Text;

    public static FieldTable Root => Qwen2TextFields.Root;

    public static FieldTable Vision { get; } = new FieldTable()
        .Read("depth embed_dim mlp_ratio num_heads hidden_size patch_size temporal_patch_size in_channels in_chans spatial_merge_size")
        .Only("no other is published", "hidden_act", "quick_gelu")
        .Only("the original has it fixed", "layer_norm_eps rms_norm_eps", 1e-6)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout dropout hidden_dropout", 0)
        .Unused("patch_size alone cuts patches", "spatial_patch_size")
        .Unused("as torch_dtype of the whole", Qwen2TextFields.Types);

    public static FieldTable Images => GridImages.Fields;

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root) => Qwen2TextFields.Check(root, Vision);

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) => [.. Check(source.Config), .. GridImages.Check(source.Folder)];
}
