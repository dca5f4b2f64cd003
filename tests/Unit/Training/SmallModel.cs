using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Training;

/// <summary>A Qwen2.5-VL of three narrow layers with random weights, whose ids fit the mid benchmark's batch.</summary>
internal static class SmallModel
{
    private const string ConfigJson =
        """
        {
          "model_type": "qwen2_5_vl", "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 3, "num_attention_heads": 4,
          "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "vocab_size": 32000,
          "tie_word_embeddings": true, "rope_theta": 1000000.0, "rope_scaling": { "type": "mrope", "mrope_section": [8, 12, 12] },
          "image_token_id": 31912, "video_token_id": 31913, "vision_start_token_id": 31909,
          "vision_config": {
            "depth": 2, "hidden_size": 128, "hidden_act": "silu", "intermediate_size": 344, "num_heads": 4, "in_channels": 3, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112, "out_hidden_size": 256, "fullatt_block_indexes": [1]
          }
        }
        """;

    public static VisionLanguageModel Build(ModelOptions options)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-small");
        try
        {
            File.WriteAllText(Families.ConfigPath(folder.FullName), ConfigJson);
            Torch.Seed(3);
            return ModelSource.Open(folder.FullName).Build(new RandomSource(0.02), options);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Adapters whose B is not zero, so that every gradient matters.</summary>
    public static void Adapt(VisionLanguageModel model, string prefix = "model.layers.")
    {
        foreach (var linear in Adapters.Attach(model.Ledger, new LoraOptions(), path => path.StartsWith(prefix, StringComparison.Ordinal)))
        {
            using var grad = Autograd.NoGrad();
            linear.Lora!.B.Value.Normal_(0, 0.02);
        }
    }
}
