using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Cli.Demo;

/// <summary>A Qwen2.5-VL of about two million random weights as a Hugging Face folder: every part of the large one is there, only smaller.</summary>
internal static class DemoModel
{
    internal const int MaxPositions = 2048;

    private const double Deviation = 0.06;

    /// <returns>How many weights it has.</returns>
    public static long Write(string folder, DemoTokenizer tokenizer, int seed)
    {
        Directory.CreateDirectory(folder);
        tokenizer.Write(folder);
        Save(folder, "generation_config.json", new JsonObject
        {
            ["do_sample"] = false,
            ["max_new_tokens"] = 32,
            ["eos_token_id"] = new JsonArray(tokenizer.IdOf("<|im_end|>"), tokenizer.IdOf("<|endoftext|>")),
            ["pad_token_id"] = tokenizer.IdOf("<|endoftext|>"),
        });
        Save(folder, "preprocessor_config.json", new JsonObject
        {
            ["image_processor_type"] = "Qwen2VLImageProcessor",
            ["processor_class"] = "Qwen2_5_VLProcessor",
            ["min_pixels"] = 3136,
            ["max_pixels"] = 200704,
            ["patch_size"] = 14,
            ["temporal_patch_size"] = 2,
            ["merge_size"] = 2,
            ["image_mean"] = new JsonArray(0.48145466, 0.4578275, 0.40821073),
            ["image_std"] = new JsonArray(0.26862954, 0.26130258, 0.27577711),
        });
        Save(folder, "config.json", Config(tokenizer));
        return WriteWeights(folder, seed);
    }

    private static long WriteWeights(string folder, int seed)
    {
        Torch.Seed((ulong)seed);
        using var scope = TensorScope.Open("step");
        using var model = ModelSource.Open(folder).Build(new RandomSource(Deviation), new ModelOptions());
        var weights = model.Ledger.Parameters.Select(weight => TensorBytes.Source(weight.Name, weight.Value)).ToList();
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), weights, SafetensorsWriter.PyTorchMetadata);
        return model.Ledger.Count;
    }

    private static JsonObject Config(DemoTokenizer tokenizer)
    {
        const int width = 128;
        return new JsonObject
        {
            ["architectures"] = new JsonArray("Qwen2_5_VLForConditionalGeneration"),
            ["model_type"] = "qwen2_5_vl",
            ["torch_dtype"] = "float32",
            ["attention_dropout"] = 0.0,
            ["bos_token_id"] = tokenizer.IdOf("<|endoftext|>"),
            ["eos_token_id"] = tokenizer.IdOf("<|im_end|>"),
            ["vision_start_token_id"] = tokenizer.IdOf("<|vision_start|>"),
            ["vision_end_token_id"] = tokenizer.IdOf("<|vision_end|>"),
            ["vision_token_id"] = tokenizer.IdOf("<|vision_pad|>"),
            ["image_token_id"] = tokenizer.IdOf("<|image_pad|>"),
            ["video_token_id"] = tokenizer.IdOf("<|video_pad|>"),
            ["hidden_act"] = "silu",
            ["hidden_size"] = width,
            ["initializer_range"] = Deviation,
            ["intermediate_size"] = 256,
            ["max_position_embeddings"] = MaxPositions,
            ["max_window_layers"] = 3,
            ["num_attention_heads"] = 4,
            ["num_hidden_layers"] = 3,
            ["num_key_value_heads"] = 2,
            ["rms_norm_eps"] = 1e-6,
            ["rope_theta"] = 1000000.0,
            ["rope_scaling"] = new JsonObject { ["type"] = "mrope", ["mrope_section"] = new JsonArray(4, 6, 6) },
            ["sliding_window"] = MaxPositions,
            ["tie_word_embeddings"] = false,
            ["use_cache"] = true,
            ["use_sliding_window"] = false,
            ["vocab_size"] = tokenizer.VocabularySize,
            ["vision_config"] = new JsonObject
            {
                ["model_type"] = "qwen2_5_vl",
                ["depth"] = 4,
                ["hidden_act"] = "silu",
                ["hidden_size"] = width,
                ["intermediate_size"] = 256,
                ["num_heads"] = 4,
                ["in_chans"] = 3,
                ["out_hidden_size"] = width,
                ["patch_size"] = 14,
                ["spatial_merge_size"] = 2,
                ["spatial_patch_size"] = 14,
                ["temporal_patch_size"] = 2,
                ["tokens_per_second"] = 2,
                ["window_size"] = 112,
                ["fullatt_block_indexes"] = new JsonArray(1, 3),
            },
        };
    }

    private static void Save(string folder, string name, JsonObject json) =>
        File.WriteAllText(Path.Combine(folder, name), json.ToJsonString(new() { WriteIndented = true, NewLine = "\n" }) + "\n");
}
