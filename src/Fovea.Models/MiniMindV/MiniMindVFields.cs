using Fovea.Models.Configs;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// Every field of a MiniMind-V's config.json and of its encoder's config.json and preprocessor_config.json: read, held to the values that are computed,
/// or without effect.
/// </summary>
internal static class MiniMindVFields
{
    private const string Types = "torch_dtype dtype"; // for chat and plan
    private const string Dropout = "dropout in the base model is not computed; with 0 answers are the same";

    public static FieldTable A { get; } = Shared()
        .Read("dim n_layers n_heads n_kv_heads multiple_of hidden_dim vocab_size max_seq_len norm_eps use_moe n_routed_experts num_experts_per_tok "
            + "n_shared_experts aux_loss_alpha norm_topk_prob image_ids")
        .Only("the original computes no other", "scoring_func", "softmax")
        .Only("every sample is balanced by itself", "seq_aux", true);

    public static FieldTable C { get; } = Shared()
        .Read("hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim intermediate_size moe_intermediate_size vocab_size "
            + "max_position_embeddings rms_norm_eps use_moe num_experts num_experts_per_tok router_aux_loss_coef norm_topk_prob image_ids image_token_len "
            + "image_hidden_size")
        .Only("scaled rotary frequencies are not computed for this model", "inference_rope_scaling", false);

    public static FieldTable Encoder { get; } = new FieldTable()
        .Read("model_type hidden_size intermediate_size num_hidden_layers num_attention_heads patch_size image_size layer_norm_eps hidden_act vision_config")
        .Only(Dropout, "attention_dropout dropout hidden_dropout", 0)
        .Only("pictures are RGB", "num_channels", 3)
        .Only("Transformers lets it replace vision_config: move its fields there", "vision_config_dict")
        .Unused("MiniMind uses the encoder of images, before its pooling", "text_config text_config_dict projection_dim logit_scale_init_value "
            + "vision_use_head")
        .Unused("the weights' own types are read", Types);

    public static FieldTable Images { get; } = new FieldTable()
        .Read("do_center_crop resample size crop_size image_mean image_std")
        .Only("every picture is scaled and normalised", "do_resize do_rescale do_normalize do_convert_rgb", true)
        .Only("values go from 0 to 1 before they are normalised", "rescale_factor", 1 / 255.0)
        .Only("nothing is padded", "do_pad", false)
        .Unused("how the original hands pictures over", "data_format input_data_format device return_tensors disable_grouping default_to_square");

    public static FieldTable Of(ConfigReader json) => json.Has("dim") ? A : C;

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source)
    {
        var vision = MiniMindVConfig.Read(source).VisionFolder;
        return
        [
            .. Of(source.Config).Check(source.Config),
            .. CheckEncoder(source.ConfigOf(vision)),
            .. Images.Check(ConfigReader.Open(Path.Combine(vision, "preprocessor_config.json"))),
        ];
    }

    /// <summary>The encoder's file describes it alone, or a text tower beside it.</summary>
    public static IReadOnlyList<string> CheckEncoder(ConfigReader root) =>
        [.. Encoder.Check(root), .. root.Section("vision_config") is { } vision ? Encoder.Check(vision) : []];

    public static RopeSettings Rope(ConfigReader json, int positions) => RopeReader.Read(json, 1e6, positions, [RopeKind.Default]);

    /// <summary>What stands for an image in the project's texts must be what its template writes.</summary>
    public static void CheckImageToken(ConfigReader json, string written)
    {
        if (json.Text("image_special_token", written) != written)
        {
            throw json.Wrong("image_special_token", $"{written}, which the project's conversations write");
        }
    }

    private static FieldTable Shared() => new FieldTable()
        .Read($"model_type vision_model weights tie_word_embeddings image_special_token {RopeReader.Fields} {Types}")
        .Only("the original computes no other", "hidden_act", "silu")
        .Only(Dropout, "dropout attention_dropout hidden_dropout", 0)
        .Only("this model has none", "attention_bias mlp_bias", false)
        .Only("every dimension is turned", "partial_rotary_factor", 1)
        .Only("every layer sees all earlier tokens", "use_sliding_window", false);
}
