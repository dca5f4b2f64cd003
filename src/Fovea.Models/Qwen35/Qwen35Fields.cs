using Fovea.Models.Configs;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen35;

/// <summary>
/// Every field of Qwen3.5's config.json: read, held to the values that are computed, or without effect. Later releases may use the same model type: what of
/// theirs is not known is refused.
/// </summary>
internal static class Qwen35Fields
{
    private const string TextRead = "hidden_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size "
        + "max_position_embeddings rms_norm_eps head_dim layer_types full_attention_interval linear_num_key_heads linear_num_value_heads "
        + "linear_key_head_dim linear_value_head_dim linear_conv_kernel_dim partial_rotary_factor mlp_only_layers " + RopeReader.Fields;

    private const string DenseRead = "intermediate_size";
    private const string ExpertsRead = "num_experts num_experts_per_tok moe_intermediate_size shared_expert_intermediate_size";
    private const string Types = "torch_dtype dtype"; // for chat and plan
    private const string Part = "partial_rotary_factor";

    // Beyond what any family refuses.
    private static readonly string[] Telling = ["linear", "gate", "conv", "ssm", "mamba", "delta", "state", "decay", "head", "layer"];

    /// <summary>Of the language model, in <c>text_config</c> or flat in the file.</summary>
    public static FieldTable Text { get; } = WithText(new FieldTable()).Read($"{DenseRead} {Types} tie_word_embeddings");

    public static FieldTable Root { get; } = WithRoot(WithText(new FieldTable()).Read(DenseRead));

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
    public static int Positions(ConfigReader text) => text.Int("max_position_embeddings", 32768);

    public static RopeSettings Rope(ConfigReader text, int positions)
    {
        var rope = RopeReader.Read(
            text, 1e7, positions, [RopeKind.Default, RopeKind.Linear, RopeKind.Yarn], "mrope_section", "mrope_interleaved", Part);
        return RopeReader.Section(text) is { } section && !section.Bool("mrope_interleaved", true)
            ? throw section.Wrong("mrope_interleaved", "true: time, height and width take turns in this model's frequencies")
            : rope;
    }

    /// <summary>How much of each head is turned; beside the rotary embedding's object or in it.</summary>
    public static double TurnedPart(ConfigReader text)
    {
        var inside = RopeReader.Section(text) is { } section && section.Has(Part) ? section.Double(Part) : (double?)null;
        var part = inside ?? text.Double(Part, 0.25);
        return text.Double(Part, part) == part ? part : throw text.Wrong(Part, $"{part}, as in the rotary embedding's object, or be left out");
    }

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root)
    {
        var (text, sparse) = (root.Section("text_config"), Qwen35Config.HasExperts(root));
        if (text is not null)
        {
            var positions = Positions(text);
            NestedText.Check(root, text, $"{TextRead} {(sparse ? ExpertsRead : DenseRead)}", section => Rope(section, positions));
        }

        if ((text ?? root).Value("mlp_only_layers") is { } list && list.GetRawText().Trim('[', ']', ' ', '\n', '\r', '\t').Length > 0)
        {
            throw (text ?? root).Wrong("mlp_only_layers", "an empty list: all layers have the same, an MLP or experts");
        }

        IReadOnlyList<string> unknown =
        [
            .. (sparse ? ExpertsRoot : Root).Check(root), .. text is null ? [] : (sparse ? ExpertsText : Text).Check(text),
        ];
        foreach (var path in unknown.Where(path => Telling.Any(path.Split('.')[^1].Contains)))
        {
            var section = path.Contains('.') ? text! : root;
            throw section.Refused(
                path.Split('.')[^1],
                "nothing that this model family reads, and by its name it changes what the model computes; remove it from the file if it does not");
        }

        return [.. unknown, .. root.Section("vision_config") is { } vision ? Vision.Check(vision) : []];
    }

    /// <summary>Fields that nobody knows in the files of a folder.</summary>
    public static IReadOnlyList<string> Unknown(ModelSource source) => [.. Check(source.Config), .. GridImages.Check(source.Folder)];

    private static FieldTable WithRoot(FieldTable table) => table
        .Read($"{Types} model_type tie_word_embeddings image_token_id vision_config text_config")
        .Only("the vision tower is part of the model", "language_model_only", false)
        .Unused("videos are not read, and image_token_id alone marks images", "video_token_id vision_start_token_id vision_end_token_id");

    private static FieldTable WithExperts(FieldTable table) => table
        .Read(ExpertsRead)
        .Only("every layer has experts", "decoder_sparse_step", 1)
        .Unused("every layer has experts in place of an MLP", DenseRead)
        .Unused("the weights of a token's experts always add up to 1, as in the original", "norm_topk_prob")
        .Unused("moe_aux_loss_coef of the run decides", "router_aux_loss_coef output_router_logits");

    private static FieldTable WithText(FieldTable table) => table
        .Read(TextRead)
        .Only("the original computes no other", "hidden_act", "silu")
        .Only("every attention has a gate on its result", "attn_output_gate", true)
        .Only("states are kept and computed in fp32", "mamba_ssm_dtype", "float32")
        .Only("queries, keys and values have no biases in any published checkpoint", "attention_bias qkv_bias", false)
        .Only("this model has none", "mlp_bias o_bias", false)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout hidden_dropout embd_pdrop resid_pdrop", 0)
        .Only("every attention sees all earlier tokens, as in every published checkpoint", "use_sliding_window", false)
        .Unused("use_sliding_window is false", "sliding_window max_window_layers")
        .Unused("the weights mtp.* are kept and not used", "mtp_num_hidden_layers mtp_use_dedicated_embeddings");
}
