using Fovea.Models.Configs;

namespace Fovea.Models.MiniCpmV;

/// <summary>Every field of a MiniCPM-V's config.json and preprocessor_config.json: read, held to the values that are computed, or without effect.</summary>
internal static class MiniCpmVFields
{
    private const string Types = "torch_dtype dtype"; // for chat and plan

    public static FieldTable Root { get; } = new FieldTable()
        .Read("model_type version hidden_size num_attention_heads num_hidden_layers intermediate_size num_key_value_heads head_dim vocab_size rms_norm_eps "
            + "attention_bias tie_word_embeddings scale_emb scale_depth dim_model_base slice_config vision_config patch_size max_position_embeddings "
            + "query_num slice_mode max_slice_nums scale_resolution vision_encoder drop_vision_last_layer use_image_id " + $"{RopeReader.Fields} {Types}")
        .Only("the original computes no other", "hidden_act hidden_activation", "silu")
        .Only("dropout in the base model is not computed; with 0 answers are the same",
            "attention_dropout hidden_dropout resid_pdrop embd_pdrop resid_dropout dropout", 0)
        .Only("this model has none", "mlp_bias o_bias", false)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "use_sliding_window", false)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "layer_types", "full_attention")
        .Only("every dimension is turned", "partial_rotary_factor", 1)
        .Only("the slices of a sample are computed together, as in every published checkpoint", "batch_vision_input", true)
        .Only("an image stands between its tags", "mm_use_im_start_end", true)
        .Only("the vision tower is needed", "init_vision", true)
        .Unused("use_sliding_window is false", "sliding_window max_window_layers")
        .Unused("scale_resolution and max_slice_nums alone cut images", "image_size")
        .Unused("every slice is computed by itself, however many go together", "vision_batch_size")
        .Unused("it is about frames of videos, which are not read; an image comes out the same either way", "batch_3d_resampler")
        .Unused("hearing and speaking are not used", "audio_config audio_chunk_length audio_pool_step tts_config init_audio init_tts chunk_input stream_input "
            + "listen_speak_type speak_token_id listen_token_id");

    public static FieldTable Slices { get; } = new FieldTable().Read("max_slice_nums scale_resolution patch_size");

    public static FieldTable Vision { get; } = new FieldTable()
        .Read("model_type hidden_size image_size intermediate_size num_attention_heads num_hidden_layers patch_size layer_norm_eps")
        .Only("the original computes no other", "hidden_act", "gelu", "gelu_pytorch_tanh")
        .Only("dropout in the vision tower is not computed; with 0 answers are the same", "attention_dropout dropout hidden_dropout drop_path_rate", 0)
        .Only("pictures are RGB", "num_channels", 3)
        .Unused("as torch_dtype of the whole", Types)
        .Unused("the tower's features are taken, not its pooled ones", "vision_use_head projection_dim pooler_output_size pooler_act");

    public static FieldTable Images { get; } = new FieldTable()
        .Read("norm_mean norm_std max_slice_nums scale_resolution patch_size image_feature_size use_image_id slice_mode")
        .Only("the only tags that are written", "im_start", "<image>")
        .Only("the only tags that are written", "im_end", "</image>")
        .Only("the only tags that are written", "slice_start", "<slice>")
        .Only("the only tags that are written", "slice_end", "</slice>")
        .Only("the only tags that are written", "unk", "<unk>")
        .Only("the only tags that are written", "im_id_start", "<image_id>")
        .Only("the only tags that are written", "im_id_end", "</image_id>")
        .Unused("config.json says it", "version")
        .Unused("hearing is not used", "audio_pool_step audio_chunk_length feature_size sampling_rate hop_length n_fft n_samples nb_max_frames chunk_length "
            + "padding_side padding_value return_attention_mask dither");

    public static RopeSettings Rope(ConfigReader root, double version, int positions)
    {
        // MiniCPM's own code knows fewer kinds than Transformers' Llama and Qwen2 do.
        RopeKind[] kinds = version < 2.5
            ? [RopeKind.Default, RopeKind.Linear]
            : [RopeKind.Default, RopeKind.Linear, RopeKind.Yarn, RopeKind.LongRope];
        return RopeReader.Read(root, 10000, positions, kinds);
    }

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root, double version)
    {
        var unknown = Root.Check(root);
        if (root.Bool("use_image_id", version >= 2.6) != version >= 2.6)
        {
            throw root.Wrong("use_image_id", version >= 2.6 ? "true: this version's images are numbered" : "false: images are numbered from version 2.6 on");
        }

        if (root.Section("slice_config") is { } slices)
        {
            unknown = [.. unknown, .. Slices.Check(slices)];
            foreach (var name in new[] { "max_slice_nums", "scale_resolution" })
            {
                if (root.Has(name) && root.Int(name) != slices.Int(name, name == "max_slice_nums" ? 9 : 448))
                {
                    throw root.Wrong(name, $"what {slices.PathOf(name)} says, which alone is read, or be left out");
                }
            }
        }

        if (root.Section("vision_config") is { } vision)
        {
            unknown = [.. unknown, .. Vision.Check(vision)];
            var type = vision.Text("model_type", "siglip");
            if (!new[] { "siglip", "idefics2", "vit" }.Any(known => type.StartsWith(known, StringComparison.Ordinal)))
            {
                throw vision.Wrong("model_type", "siglip, siglip_vision_model, idefics2 or timm's vit");
            }

            if (root.Has("vision_encoder") && type.StartsWith("vit", StringComparison.Ordinal)
                && !root.Text("vision_encoder").StartsWith(type, StringComparison.Ordinal))
            {
                throw root.Wrong("vision_encoder", $"{type}, as vision_config.model_type says, or be left out");
            }
        }

        return unknown;
    }

    /// <summary>The patch size is said in several places.</summary>
    public static void CheckPatches(ConfigReader root, int patch)
    {
        foreach (var section in new[] { root, root.Section("slice_config") }.OfType<ConfigReader>())
        {
            if (section.Int("patch_size", patch) != patch)
            {
                throw section.Wrong("patch_size", $"the vision tower's {patch}, or be left out");
            }
        }
    }

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) =>
        [.. Check(source.Config, MiniCpmVConfig.VersionOf(source.Config)), .. CheckImages(source.Folder, null)];

    /// <summary>preprocessor_config.json, where it is there: config.json decides, and it must not say another thing.</summary>
    public static IReadOnlyList<string> CheckImages(string folder, MiniCpmVConfig? config)
    {
        var path = Path.Combine(folder, "preprocessor_config.json");
        if (!File.Exists(path))
        {
            return [];
        }

        var json = ConfigReader.Open(path);
        var unknown = Images.Check(json);
        if (config is not null)
        {
            Same("scale_resolution", config.Slicing.Resolution, "scale_resolution");
            Same("patch_size", config.Slicing.PatchSize, "patch_size");
            Same("image_feature_size", config.Queries, "query_num");
            var most = json.Bool("slice_mode", true) ? json.Int("max_slice_nums", config.Slicing.MaxSlices) : 1;
            if (most != config.Slicing.MaxSlices)
            {
                throw json.Refused(
                    json.Bool("slice_mode", true) ? "max_slice_nums" : "slice_mode",
                    $"this allows {most} slices of an image, and slice_mode and max_slice_nums of config.json {config.Slicing.MaxSlices}; they must agree "
                        + "(a run's own number is max_slice_nums in its configuration)");
            }

            if (json.Bool("use_image_id", config.NewSchema) != config.NewSchema)
            {
                throw json.Wrong("use_image_id", $"{(config.NewSchema ? "true" : "false")}, as this version numbers its images or not");
            }
        }

        return unknown;

        void Same(string name, int expected, string other)
        {
            if (json.Int(name, expected) != expected)
            {
                throw json.Wrong(name, $"{expected}, as {other} of config.json says");
            }
        }
    }
}
