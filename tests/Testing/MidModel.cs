using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Features;

namespace Fovea.Testing;

/// <summary>
/// The model and the batch of the mid benchmark: Qwen2.5-VL in miniature (230 M parameters, random weights) and samples of 512 tokens, each with one
/// image of 336 x 336 pixels and 256 trained tokens.
/// </summary>
internal static class MidModel
{
    public const int SampleTokens = 512;
    public const int TrainedTokens = 256;
    public const int ImageTokens = 144;

    private const int Prefix = 24;
    private const int PatchLength = 1176;
    private const int Vocabulary = 31000;
    private const int VisionStart = 31909;
    private const int VisionEnd = 31910;
    private const int Image = 31912;

    private static readonly ImageGrid Grid = new(1, 24, 24);

    private const string ConfigJson =
        """
        {
          "model_type": "qwen2_5_vl", "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 12, "num_attention_heads": 16,
          "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "vocab_size": 32000,
          "tie_word_embeddings": false, "rope_theta": 1000000.0, "rope_scaling": { "type": "mrope", "mrope_section": [8, 12, 12] },
          "image_token_id": 31912, "video_token_id": 31913, "vision_start_token_id": 31909,
          "vision_config": {
            "depth": 8, "hidden_size": 512, "hidden_act": "silu", "intermediate_size": 1376, "num_heads": 8, "in_channels": 3, "patch_size": 14,
            "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 112, "out_hidden_size": 1024, "fullatt_block_indexes": [3, 7]
          }
        }
        """;

    /// <summary>Random weights: matrices normal with deviation 0.02.</summary>
    public static VisionLanguageModel Build(ModelOptions options)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-bench-");
        try
        {
            return Build(options, folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The same, whose configuration stays in a folder.</summary>
    public static VisionLanguageModel Build(ModelOptions options, string folder)
    {
        File.WriteAllText(Families.ConfigPath(folder), ConfigJson);
        Torch.Seed(11);
        return ModelSource.Open(folder).Build(new RandomSource(0.02), options);
    }

    /// <summary>One micro-batch of that many samples; the last 256 tokens of each are trained and weigh the same.</summary>
    public static PackedBatch Batch(int samples)
    {
        var random = new Random(5);
        var ids = new long[samples * SampleTokens];
        var boundaries = new int[samples + 1];
        var slots = new List<int>();
        var trained = new List<long>();
        for (var sample = 0; sample < samples; sample++)
        {
            var start = sample * SampleTokens;
            boundaries[sample + 1] = start + SampleTokens;
            Fill(ids.AsSpan(start, SampleTokens), random);
            for (var i = 0; i < ImageTokens; i++)
            {
                slots.Add(start + Prefix + 1 + i);
            }

            for (var i = SampleTokens - TrainedTokens; i < SampleTokens; i++)
            {
                trained.Add(start + i - 1);
            }
        }

        var batch = new PackedBatch
        {
            Ids = ids,
            CuSeqlens = boundaries,
            SampleIndices = [.. Enumerable.Range(0, samples)],
            Grids = [.. Enumerable.Repeat(Grid, samples)],
            ImagePaths = [.. Enumerable.Range(0, samples).Select(i => $"mid-{i}.png")],
            ImageStarts = [.. Enumerable.Range(0, samples + 1)],
            ImageTokens = [.. Enumerable.Repeat(ImageTokens, samples)],
            ImageSlots = [.. slots],
            LossIndex = [.. trained],
            Targets = [.. trained.Select(i => ids[i + 1])],
            Tickets = [.. Enumerable.Range(0, samples).Select(i => new ImageTicket($"mid-{i}.png", $"mid-{i}", null, default))],
        };
        FillNormal(batch.AllocatePixels(samples * Grid.Patches, PatchLength), random);
        return batch;
    }

    /// <summary>Samples of that many tokens of text alone, all of them trained that can be.</summary>
    public static PackedBatch Text(int samples, int tokens)
    {
        var random = new Random(5);
        var ids = new long[samples * tokens];
        foreach (ref var id in ids.AsSpan())
        {
            id = random.Next(Vocabulary);
        }

        var trained = Enumerable.Range(0, ids.Length).Where(i => i % tokens != tokens - 1).Select(i => (long)i).ToArray();
        return new PackedBatch
        {
            Ids = ids,
            CuSeqlens = [.. Enumerable.Range(0, samples + 1).Select(sample => sample * tokens)],
            SampleIndices = [.. Enumerable.Range(0, samples)],
            Grids = [],
            ImagePaths = [],
            ImageStarts = new int[samples + 1],
            ImageTokens = [],
            ImageSlots = [],
            LossIndex = trained,
            Targets = [.. trained.Select(i => ids[i + 1])],
        };
    }

    /// <summary>The tokens of one sample, for generation, and its image.</summary>
    public static (long[] Ids, PromptImage Image) Prompt(int seed = 5)
    {
        var random = new Random(seed);
        var ids = new long[SampleTokens];
        Fill(ids, random);
        var pixels = new float[Grid.Patches * PatchLength];
        FillNormal(pixels, random);
        return (ids, new PromptImage(new ProcessedImage(Grid, pixels), Prefix + 1, ImageTokens));
    }

    /// <summary>Text, image, text.</summary>
    private static void Fill(Span<long> ids, Random random)
    {
        foreach (ref var id in ids)
        {
            id = random.Next(Vocabulary);
        }

        ids[Prefix] = VisionStart;
        ids.Slice(Prefix + 1, ImageTokens).Fill(Image);
        ids[Prefix + 1 + ImageTokens] = VisionEnd;
    }

    private static void FillNormal(Span<float> into, Random random)
    {
        foreach (ref var value in into)
        {
            value = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
    }
}
