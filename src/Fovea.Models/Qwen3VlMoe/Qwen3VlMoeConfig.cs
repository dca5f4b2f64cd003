using Fovea.Models.Qwen3Vl;
using Fovea.Nn;

namespace Fovea.Models.Qwen3VlMoe;

/// <summary>A Qwen3-VL checkpoint with experts: what its config.json says beside what the dense models' say, in the spelling of Transformers 4 and 5.</summary>
internal static class Qwen3VlMoeConfig
{
    public const string ModelType = "qwen3_vl_moe";

    /// <param name="root">Of the config.json file.</param>
    public static Qwen3VlConfig Read(ConfigReader root)
    {
        if (root.Text("model_type") != ModelType)
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" for this model family");
        }

        Qwen3VlMoeFields.Check(root);
        var text = root.Section("text_config") ?? root;

        // Transformers 5 writes its own default into text_config and goes by what stands outside.
        var config = Qwen3VlConfig.Read(root, text, root.Bool("tie_word_embeddings", false));
        var experts = new ExpertShape
        {
            Count = text.Int(text.Has("num_experts") ? "num_experts" : "num_local_experts"),
            PerToken = text.Int("num_experts_per_tok"),
            Inner = text.Int("moe_intermediate_size"),
            Step = text.Int("decoder_sparse_step", 1),
            DenseLayers = text.Has("mlp_only_layers") ? text.Ints("mlp_only_layers", []) : [],
            InputsFirst = true,
        };
        if (experts.PerToken > experts.Count)
        {
            throw text.Wrong("num_experts_per_tok", $"at most the number of experts, which is {experts.Count}");
        }

        if (text.Has("num_experts") && text.Has("num_local_experts") && text.Int("num_local_experts") != experts.Count)
        {
            throw text.Wrong("num_local_experts", $"what num_experts says, which is {experts.Count}");
        }

        return config with { Experts = experts };
    }
}
