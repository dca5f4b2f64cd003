using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Testing;

/// <summary>
/// The model and the batch of the 7b benchmark: Qwen2.5-VL-7B at its published dimensions with random weights, and samples of 1,024 tokens, each with one
/// image of 448 x 448 pixels (256 tokens) and 512 trained tokens.
/// </summary>
internal static class BigModel
{
    public const int SampleTokens = 1024;
    public const int TrainedTokens = 512;
    public const int ImageTokens = 256;

    private const int Prefix = 24;
    private const int PatchLength = 1176;
    private const int Vocabulary = 150000;
    private const int VisionStart = 151652;
    private const int VisionEnd = 151653;
    private const int Image = 151655;

    private static readonly ImageGrid Grid = new(1, 32, 32);

    private const string ConfigJson =
        """
        {
          "model_type": "qwen2_5_vl", "torch_dtype": "bfloat16",
          "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
          "num_key_value_heads": 4, "hidden_act": "silu", "max_position_embeddings": 128000, "rms_norm_eps": 1e-6, "vocab_size": 152064,
          "tie_word_embeddings": false, "rope_theta": 1000000.0, "rope_scaling": { "type": "mrope", "mrope_section": [16, 24, 24] },
          "image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652,
          "vision_config": {
            "depth": 32, "hidden_size": 1280, "hidden_act": "silu", "intermediate_size": 3420, "num_heads": 16, "in_channels": 3, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112, "out_hidden_size": 3584, "fullatt_block_indexes": [7, 15, 23, 31]
          }
        }
        """;

    /// <summary>Random bf16 weights made on the device itself; shapes alone on meta.</summary>
    public static VisionLanguageModel Build(ModelOptions options)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-bench-");
        try
        {
            File.WriteAllText(Families.ConfigPath(folder.FullName), ConfigJson);
            Torch.Seed(11);
            IWeightSource source = options.Device.Type == DeviceType.Meta ? new MetaSource() : new DeviceRandomSource(options.Device, options.Compute, 0.02);
            return ModelSource.Open(folder.FullName).Build(source, options);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>One micro-batch of that many tokens, a multiple of <see cref="SampleTokens"/>.</summary>
    public static PackedBatch Batch(int tokens)
    {
        if (tokens < SampleTokens || tokens % SampleTokens != 0)
        {
            throw new ConfigException($"--tokens must be a multiple of {SampleTokens}, not {tokens}");
        }

        var random = new Random(5);
        var samples = tokens / SampleTokens;
        var ids = new long[tokens];
        var boundaries = new int[samples + 1];
        var (slots, trained) = (new List<int>(), new List<long>());
        for (var sample = 0; sample < samples; sample++)
        {
            var start = sample * SampleTokens;
            boundaries[sample + 1] = start + SampleTokens;
            foreach (ref var id in ids.AsSpan(start, SampleTokens))
            {
                id = random.Next(Vocabulary);
            }

            ids[start + Prefix] = VisionStart;
            ids.AsSpan(start + Prefix + 1, ImageTokens).Fill(Image);
            ids[start + Prefix + 1 + ImageTokens] = VisionEnd;
            slots.AddRange(Enumerable.Range(start + Prefix + 1, ImageTokens));
            trained.AddRange(Enumerable.Range(start + SampleTokens - TrainedTokens - 1, TrainedTokens).Select(i => (long)i));
        }

        var batch = new PackedBatch
        {
            Ids = ids,
            CuSeqlens = boundaries,
            SampleIndices = [.. Enumerable.Range(0, samples)],
            Grids = [.. Enumerable.Repeat(Grid, samples)],
            ImagePaths = [.. Enumerable.Range(0, samples).Select(i => $"7b-{i}.png")],
            ImageStarts = [.. Enumerable.Range(0, samples + 1)],
            ImageTokens = [.. Enumerable.Repeat(ImageTokens, samples)],
            ImageSlots = [.. slots],
            LossIndex = [.. trained],
            Targets = [.. trained.Select(i => ids[i + 1])],
        };
        foreach (ref var value in batch.AllocatePixels(samples * Grid.Patches, PatchLength))
        {
            value = (float)((random.NextDouble() * 2) - 1);
        }

        return batch;
    }
}
