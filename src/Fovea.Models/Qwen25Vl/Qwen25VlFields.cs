using Fovea.Models.Configs;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Every field of Qwen2.5-VL's config.json and preprocessor_config.json: read, held to the values that are computed, or without effect.</summary>
internal static class Qwen25VlFields
{
    /// <summary>Of the language model, flat in the file or in <c>text_config</c>.</summary>
    private const string TextRead = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size "
        + "max_position_embeddings rms_norm_eps head_dim " + RopeReader.Fields;

    private const string Types = "torch_dtype dtype"; // for chat and plan

    public static FieldTable Text { get; } = WithText(new FieldTable()).Read($"{Types} tie_word_embeddings");

    public static FieldTable Root { get; } = WithText(new FieldTable())
        .Read($"{Types} model_type tie_word_embeddings image_token_id vision_config text_config")
        .Unused("videos are not read, and image_token_id alone marks images", "video_token_id vision_start_token_id vision_end_token_id vision_token_id");

    public static FieldTable Vision { get; } = new FieldTable()
        .Read("depth hidden_size num_heads intermediate_size out_hidden_size patch_size temporal_patch_size in_channels in_chans spatial_merge_size "
            + "window_size fullatt_block_indexes")
        .Only("the original computes no other", "hidden_act", "silu")
        .Only("the original has it fixed", "rms_norm_eps layer_norm_eps", 1e-6)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout dropout hidden_dropout", 0)
        .Unused("patch_size alone cuts patches", "spatial_patch_size")
        .Unused("it counts the seconds of videos, which are not read", "tokens_per_second")
        .Unused("as torch_dtype of the whole", Types);

    public static FieldTable Images { get; } = new FieldTable()
        .Read("min_pixels max_pixels size patch_size temporal_patch_size merge_size image_mean image_std resample rescale_factor do_resize do_rescale "
            + "do_normalize image_processor")
        .Only("every picture becomes RGB", "do_convert_rgb", true)
        .Only("nothing is cut or padded", "do_center_crop do_pad", false)
        .Unused("only read with cutting or padding", "crop_size pad_size default_to_square")
        .Unused("how the original hands pictures over", "data_format input_data_format device return_tensors disable_grouping");

    public static RopeSettings Rope(ConfigReader text, int positions) =>
        RopeReader.Read(text, 1e6, positions, [RopeKind.Default, RopeKind.Linear, RopeKind.Yarn], "mrope_section");

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root)
    {
        var text = root.Section("text_config");
        if (text is not null)
        {
            CheckTwice(root, text);
        }

        return
        [
            .. Root.Check(root),
            .. text is null ? [] : Text.Check(text),
            .. root.Section("vision_config") is { } vision ? Vision.Check(vision) : [],
        ];
    }

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) => [.. Check(source.Config), .. CheckImages(source.Folder, null)];

    /// <summary>The image processor against the vision tower: both say how large a patch is.</summary>
    public static IReadOnlyList<string> CheckImages(string folder, Qwen25VlVisionConfig? vision)
    {
        var path = new[] { "preprocessor_config.json", "processor_config.json" }.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        if (path is null)
        {
            return []; // told by who reads it
        }

        var json = ConfigReader.Open(path);
        json = json.Section("image_processor") ?? json;
        var unknown = Images.Check(json);
        if (vision is not null)
        {
            Same("patch_size", vision.PatchSize, 14, "patch_size");
            Same("temporal_patch_size", vision.TemporalPatchSize, 2, "temporal_patch_size");
            Same("merge_size", vision.MergeSize, 2, "spatial_merge_size");
        }

        return unknown;

        void Same(string name, int expected, int usual, string other)
        {
            if (json.Int(name, usual) != expected)
            {
                throw json.Wrong(name, $"{expected}, as vision_config.{other} says");
            }
        }
    }

    private static FieldTable WithText(FieldTable table) => table
        .Read(TextRead)
        .Only("the original computes no other", "hidden_act", "silu")
        .Only("queries, keys and values have biases", "attention_bias qkv_bias", true)
        .Only("this model has none", "mlp_bias o_bias", false)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout hidden_dropout embd_pdrop resid_pdrop", 0)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "use_sliding_window", false)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "layer_types", "full_attention")
        .Only("every dimension is turned", "partial_rotary_factor", 1)
        .Unused("use_sliding_window is false", "sliding_window max_window_layers");

    /// <summary>Where there is a text_config, what stands beside it counts for nothing: it must say the same.</summary>
    private static void CheckTwice(ConfigReader root, ConfigReader text)
    {
        foreach (var name in TextRead.Split(' ').Where(root.Has).Except(RopeReader.Fields.Split(' ')))
        {
            if (!text.Has(name) || root.Value(name)!.Value.GetRawText() != text.Value(name)!.Value.GetRawText())
            {
                throw root.Wrong(name, $"what {text.PathOf(name)} says, which alone is read, or be left out");
            }
        }

        var positions = text.Int("max_position_embeddings", 32768);
        if (RopeReader.Fields.Split(' ').Any(root.Has) && RopeReader.Text(Rope(root, positions)) != RopeReader.Text(Rope(text, positions)))
        {
            throw root.Wrong(root.Has("rope_scaling") ? "rope_scaling" : "rope_theta", "what text_config says of the rotary embedding, or be left out");
        }
    }
}
