using Fovea.Models.Configs;
using Fovea.Models.Qwen3Vl;

namespace Fovea.Models.Qwen3VlMoe;

/// <summary>Every field of the config.json of a Qwen3-VL with experts: those of the dense models, and those of the experts.</summary>
internal static class Qwen3VlMoeFields
{
    private const string ExpertsRead = "num_experts num_local_experts num_experts_per_tok moe_intermediate_size decoder_sparse_step mlp_only_layers";

    /// <summary>Of the language model, in <c>text_config</c> or flat in the file.</summary>
    public static FieldTable Text { get; } = WithExperts(new FieldTable())
        .Read(Qwen3VlFields.Types)
        .Unused("what the file says outside text_config counts, and Transformers 5 writes its own default here", "tie_word_embeddings");

    public static FieldTable Root { get; } = Qwen3VlFields.WithRoot(WithExperts(new FieldTable()));

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root) => Qwen3VlFields.Check(root, Root, Text, ExpertsRead);

    private static FieldTable WithExperts(FieldTable table) => Qwen3VlFields.WithText(table)
        .Read(ExpertsRead)
        .Unused("the weights of a token's experts always add up to 1, as in the original", "norm_topk_prob")
        .Unused("moe_aux_loss_coef of the run decides", "router_aux_loss_coef output_router_logits");
}
