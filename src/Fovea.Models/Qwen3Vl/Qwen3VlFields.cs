using Fovea.Models.Configs;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen3Vl;

/// <summary>Every field of Qwen3-VL's config.json: read, held to the values that are computed, or without effect.</summary>
internal static class Qwen3VlFields
{
    private const string TextRead = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size "
        + "max_position_embeddings rms_norm_eps head_dim " + RopeReader.Fields;

    private const string ExpertsRead = "num_experts num_local_experts num_experts_per_tok moe_intermediate_size decoder_sparse_step mlp_only_layers";

    private const string Types = "torch_dtype dtype"; // for chat and plan

    /// <summary>Of the language model, in <c>text_config</c> or flat in the file.</summary>
    public static FieldTable Text { get; } = WithText(new FieldTable()).Read($"{Types} tie_word_embeddings");

    public static FieldTable Root { get; } = WithRoot(WithText(new FieldTable()));

    /// <summary>As <see cref="Text"/>, of the models with experts.</summary>
    public static FieldTable ExpertsText { get; } = WithExperts(WithText(new FieldTable()))
        .Read(Types)
        .Unused("what the file says outside text_config counts, and Transformers 5 writes its own default here", "tie_word_embeddings");

    /// <summary>As <see cref="Root"/>, of the models with experts.</summary>
    public static FieldTable ExpertsRoot { get; } = WithRoot(WithExperts(WithText(new FieldTable())));

    public static FieldTable Vision { get; } = new FieldTable()
        .Read("depth hidden_size num_heads intermediate_size out_hidden_size patch_size temporal_patch_size in_channels spatial_merge_size "
            + "num_position_embeddings deepstack_visual_indexes")
        .Only("the original computes no other in its blocks", "hidden_act", "gelu_pytorch_tanh")
        .Only("the original has it fixed", "rms_norm_eps layer_norm_eps", 1e-6)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout dropout hidden_dropout", 0)
        .Unused("as torch_dtype of the whole", Types);

    /// <summary>Most tokens of one sequence.</summary>
    public static int Positions(ConfigReader text) => text.Int("max_position_embeddings", 128000);

    public static RopeSettings Rope(ConfigReader text, int positions)
    {
        var rope = RopeReader.Read(
            text, 5e6, positions, [RopeKind.Default, RopeKind.Linear, RopeKind.Yarn], "mrope_section", "mrope_interleaved");
        return RopeReader.Section(text) is { } section && !section.Bool("mrope_interleaved", true)
            ? throw section.Wrong("mrope_interleaved", "true: time, height and width take turns in this model's frequencies")
            : rope;
    }

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root)
    {
        var (text, sparse) = (root.Section("text_config"), Qwen3VlConfig.HasExperts(root));
        if (text is not null)
        {
            var positions = Positions(text);
            NestedText.Check(root, text, sparse ? $"{TextRead} {ExpertsRead}" : TextRead, section => Rope(section, positions));
        }

        return
        [
            .. (sparse ? ExpertsRoot : Root).Check(root),
            .. text is null ? [] : (sparse ? ExpertsText : Text).Check(text),
            .. root.Section("vision_config") is { } vision ? Vision.Check(vision) : [],
        ];
    }

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) => [.. Check(source.Config), .. GridImages.Check(source.Folder)];

    private static FieldTable WithRoot(FieldTable table) => table
        .Read($"{Types} model_type tie_word_embeddings image_token_id vision_config text_config")
        .Unused("videos are not read, and image_token_id alone marks images", "video_token_id vision_start_token_id vision_end_token_id");

    private static FieldTable WithExperts(FieldTable table) => table
        .Read(ExpertsRead)
        .Unused("the weights of a token's experts always add up to 1, as in the original", "norm_topk_prob")
        .Unused("moe_aux_loss_coef of the run decides", "router_aux_loss_coef output_router_logits");

    private static FieldTable WithText(FieldTable table) => table
        .Read(TextRead)
        .Only("the original computes no other", "hidden_act", "silu")
        .Only("queries, keys and values have no biases in any published checkpoint", "attention_bias qkv_bias", false)
        .Only("this model has none", "mlp_bias o_bias", false)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout hidden_dropout embd_pdrop resid_pdrop", 0)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "use_sliding_window", false)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "layer_types", "full_attention")
        .Only("every dimension is turned", "partial_rotary_factor", 1)
        .Unused("use_sliding_window is false", "sliding_window max_window_layers");
}
