using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Testing;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>
/// Training steps of a Qwen3.5 in miniature (random weights) through the code that trains: LoRA of rank 8 on the language model, 4 texts of 512 tokens.
/// Three of four layers have the recurrence.
/// </summary>
internal sealed class HybridJob : IDisposable
{
    public const int Samples = 4;
    public const int SampleTokens = 512;

    private const string ConfigJson =
        """
        {
          "model_type": "qwen3_5", "image_token_id": 31912, "tie_word_embeddings": false,
          "text_config": {
            "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 12, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 128,
            "linear_num_key_heads": 8, "linear_num_value_heads": 16, "linear_key_head_dim": 64, "linear_value_head_dim": 64, "linear_conv_kernel_dim": 4,
            "vocab_size": 32000, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu", "full_attention_interval": 4,
            "rope_parameters": { "rope_type": "default", "rope_theta": 10000000, "partial_rotary_factor": 0.25, "mrope_section": [6, 5, 5] }
          },
          "vision_config": {
            "depth": 1, "hidden_size": 64, "intermediate_size": 128, "num_heads": 1, "out_hidden_size": 1024, "num_position_embeddings": 64,
            "deepstack_visual_indexes": []
          }
        }
        """;

    private readonly RepeatedTraining training;

    public HybridJob(DType compute, BlockMode mode)
    {
        var model = Build(new ModelOptions { Compute = compute, BlockMode = mode });
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8, Alpha = 16 }, path => path.Contains(".layers.", StringComparison.Ordinal));
        training = new RepeatedTraining(
            model, MidModel.Text(Samples, SampleTokens), parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0.01), new SessionOptions(), rate: 1e-4);
    }

    public VisionLanguageModel Model => training.Model;

    /// <summary>One optimizer step.</summary>
    /// <returns>Its loss, before the update.</returns>
    public double Step() => training.Step().Loss;

    public void Dispose() => training.Dispose();

    private static VisionLanguageModel Build(ModelOptions options)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-bench-");
        try
        {
            File.WriteAllText(Families.ConfigPath(folder.FullName), ConfigJson);
            Torch.Seed(11);
            return ModelSource.Open(folder.FullName).Build(new RandomSource(0.02), options);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
