using Fovea.Models.Configs;
using Fovea.Models.Hybrids;

namespace Fovea.Models.MiniCpmV46;

/// <summary>Every field of MiniCPM-V-4.6's files: read, held to the values that are computed, or without effect.</summary>
internal static class MiniCpmV46Fields
{
    private const string Types = "torch_dtype dtype"; // for chat and plan

    public static FieldTable Root { get; } = HybridFields.In(new FieldTable())
        .Read($"{Types} model_type tie_word_embeddings image_token_id vision_config text_config insert_layer_id patch_size {Downsampling.Field}")
        .Only("patches are joined in squares of four, once behind the tower", "merge_kernel_size", 2)
        .Only("patches are joined in squares of four, once behind the tower", "merger_times", 1)
        .Only("the original's code has all layers, whatever is said here", "drop_vision_last_layer", false)
        .Unused("the image processor's file says how pictures are cut", "image_size")
        .Unused("videos are not read", "video_token_id");

    public static FieldTable Vision { get; } = new FieldTable()
        .Read("hidden_size intermediate_size num_hidden_layers num_attention_heads image_size patch_size layer_norm_eps insert_layer_id")
        .Only("the original computes no other", "hidden_act", "gelu_pytorch_tanh")
        .Only("dropout in the vision tower is not computed; with 0 answers are the same", "attention_dropout", 0)
        .Only("pictures are RGB", "num_channels", 3)
        .Only("windows have two rows and two columns", "window_kernel_size", 2)
        .Unused("as torch_dtype of the whole", Types);

    public static FieldTable Images { get; } = new FieldTable()
        .Read($"max_slice_nums scale_resolution patch_size slice_mode use_image_id image_mean image_std image_processor {Downsampling.Field}")
        .Only("every picture is brought to sides that the tower takes", "do_resize", true)
        .Only("grey levels become numbers around 0", "do_rescale do_normalize", true)
        .Only("grey levels are divided by 255", "rescale_factor", 1.0 / 255)
        .Only("pictures are resampled bicubically", "resample", 3)
        .Only("every picture becomes RGB", "do_convert_rgb", true)
        .Only("nothing is cut or padded", "do_center_crop do_pad", false)
        .Unused("only read with cutting or padding", "crop_size pad_size default_to_square size")
        .Unused("how the original hands pictures over", "data_format input_data_format device return_tensors disable_grouping");

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root) =>
        [.. HybridFields.Check(root, Root), .. root.Section("vision_config") is { } vision ? Vision.Check(vision) : []];

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) =>
        [.. Check(source.Config), .. SliceFile.Open(source.Folder) is { } json ? Images.Check(json) : []];
}
