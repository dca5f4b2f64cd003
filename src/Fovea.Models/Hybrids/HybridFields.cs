using Fovea.Models.Configs;

namespace Fovea.Models.Hybrids;

/// <summary>
/// Every field of a hybrid language model's <c>text_config</c>: read, held to the values that are computed, or without effect. Later releases may use the
/// same model type: what of theirs is not known is refused.
/// </summary>
internal static class HybridFields
{
    /// <summary>What is read of the language model, parted by spaces.</summary>
    public const string Read = "hidden_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size "
        + "max_position_embeddings rms_norm_eps head_dim layer_types full_attention_interval linear_num_key_heads linear_num_value_heads "
        + "linear_key_head_dim linear_value_head_dim linear_conv_kernel_dim partial_rotary_factor mlp_only_layers " + RopeReader.Fields;

    private const string DenseRead = "intermediate_size";
    private const string ExpertsRead = "num_experts num_experts_per_tok moe_intermediate_size shared_expert_intermediate_size";
    private const string Part = "partial_rotary_factor";

    // Beyond what any family refuses.
    private static readonly string[] Telling = ["linear", "gate", "conv", "ssm", "mamba", "delta", "state", "decay", "head", "layer"];

    /// <summary>Of <c>text_config</c>.</summary>
    public static FieldTable Text { get; } = In(new FieldTable()).Read("torch_dtype dtype tie_word_embeddings");

    /// <summary>As <see cref="Text"/>, of a model with experts.</summary>
    public static FieldTable ExpertsText { get; } = In(new FieldTable(), experts: true).Read("torch_dtype dtype")
        .Unused("what the file says outside text_config counts, and Transformers 5 writes its own default here", "tie_word_embeddings");

    /// <summary>The fields of the language model, added to a table.</summary>
    public static FieldTable In(FieldTable table, bool experts = false) => (experts ? WithExperts(table) : table.Read(DenseRead))
        .Read(Read)
        .Only("the original computes no other", "hidden_act", "silu")
        .Only("every attention has a gate on its result", "attn_output_gate", true)
        .Only("states are kept and computed in fp32", "mamba_ssm_dtype", "float32")
        .Only("queries, keys and values have no biases in any published checkpoint", "attention_bias qkv_bias", false)
        .Only("this model has none", "mlp_bias o_bias", false)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout hidden_dropout embd_pdrop resid_pdrop", 0)
        .Only("every attention sees all earlier tokens, as in every published checkpoint", "use_sliding_window", false)
        .Unused("use_sliding_window is false", "sliding_window max_window_layers")
        .Unused("the weights mtp.* are kept and not used", "mtp_num_hidden_layers mtp_use_dedicated_embeddings");

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
    /// <param name="root">The file.</param>
    /// <param name="table">Of the file.</param>
    /// <param name="experts">Whether it describes a model with experts.</param>
    /// <returns>Fields that nobody knows, of the file and of its <c>text_config</c>.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root, FieldTable table, bool experts = false)
    {
        var text = root.Section("text_config");
        if (text is not null)
        {
            var positions = Positions(text);
            NestedText.Check(root, text, $"{Read} {(experts ? ExpertsRead : DenseRead)}", section => Rope(section, positions));
        }

        if ((text ?? root).Value("mlp_only_layers") is { } list && list.GetRawText().Trim('[', ']', ' ', '\n', '\r', '\t').Length > 0)
        {
            throw (text ?? root).Wrong("mlp_only_layers", "an empty list: all layers have the same, an MLP or experts");
        }

        IReadOnlyList<string> unknown = [.. table.Check(root), .. text is null ? [] : (experts ? ExpertsText : Text).Check(text)];
        foreach (var path in unknown.Where(path => Telling.Any(path.Split('.')[^1].Contains)))
        {
            var section = path.Contains('.') ? text! : root;
            throw section.Refused(path.Split('.')[^1], "nothing that this model family reads, and by its name it changes what the model computes; remove "
                + "it from the file if it does not");
        }

        return unknown;
    }

    private static FieldTable WithExperts(FieldTable table) => table
        .Read(ExpertsRead)
        .Only("every layer has experts", "decoder_sparse_step", 1)
        .Unused("every layer has experts in place of an MLP", DenseRead)
        .Unused("the weights of a token's experts always add up to 1, as in the original", "norm_topk_prob")
        .Unused("moe_aux_loss_coef of the run decides", "router_aux_loss_coef output_router_logits");
}
