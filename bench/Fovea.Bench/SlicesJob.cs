using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>
/// Training steps of a MiniCPM-V-2.6 in miniature with random weights, through the code that trains: 2 samples of 448 tokens with three images in eight
/// slices and 100 trained tokens each, clipping at 1, AdamW. bench/peer/minicpm.py does the same in PyTorch.
/// </summary>
internal sealed class SlicesJob : IDisposable
{
    public const int Samples = 2;
    public const int SampleTokens = 448;

    private const int TrainedTokens = 100;
    private const int Prefix = 16;
    private const int Queries = 64;
    private const int SlicesOfSample = 4;
    private const int FirstText = 10;
    private const int Vocabulary = 16000;
    private const int PatchLength = 3 * 14 * 14;

    private static string ConfigJson(int depth) =>
        $$"""
        {
          "model_type": "minicpmv", "version": 2.6, "hidden_size": 896, "intermediate_size": 3072, "num_hidden_layers": {{depth}}, "num_attention_heads": 14,
          "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "vocab_size": 16000,
          "tie_word_embeddings": false, "rope_theta": 1000000.0, "query_num": 64, "batch_vision_input": true, "use_image_id": true,
          "slice_config": {"max_slice_nums": 9, "patch_size": 14, "scale_resolution": 224 },
          "vision_config": {
            "hidden_size": 576, "intermediate_size": 2152, "num_hidden_layers": {{depth}}, "num_attention_heads": 8, "image_size": 980, "patch_size": 14
          }
        }
        """;

    // An image in four parts; a small one, and one in three parts.
    private static readonly ImageGrid[] Grids =
    [
        new(1, 16, 16), new(1, 18, 14), new(1, 18, 14), new(1, 18, 14), new(1, 14, 18), new(1, 20, 12), new(1, 16, 16), new(1, 16, 16),
    ];

    private readonly RepeatedTraining training;

    /// <param name="depth">Blocks of the language model, and of the tower.</param>
    /// <param name="lora">The official LoRA of rank 64 on attention with embeddings, resampler and tower trained whole; otherwise every weight learns.</param>
    /// <param name="frozenTower">The vision tower does not learn.</param>
    /// <param name="cachedVision">With a frozen tower: take what it made in the first step in all later ones, as from the second epoch on.</param>
    public SlicesJob(DType compute, int depth, bool lora, bool frozenTower, bool cachedVision)
    {
        training = new RepeatedTraining(
            Build(compute, depth, lora, frozenTower), Batch(), parts => new AdamW(parts, 0.9, 0.95, 1e-8, 0.1),
            new SessionOptions { VisionLearns = true, Cache = cachedVision ? new VisionFeatureCache(1L << 30) : null }, rate: 1e-6);
    }

    public VisionLanguageModel Model => training.Model;

    /// <summary>One optimizer step.</summary>
    /// <returns>Its loss, before the update.</returns>
    public double Step() => training.Step().Loss;

    /// <summary>Writes what a peer needs to do the same (<see cref="PeerJob"/>).</summary>
    public void Write(string folder) => PeerJob.Write(folder, Model.Ledger.Parameters, training.Batch);

    public void Dispose() => training.Dispose();

    private static VisionLanguageModel Build(DType compute, int depth, bool lora, bool frozenTower)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-bench-");
        try
        {
            File.WriteAllText(Families.ConfigPath(folder.FullName), ConfigJson(depth));
            Torch.Seed(11);
            var whole = new PeftConfig { ModulesToSave = ["embed_tokens", "resampler", "vpm"] };
            var model = ModelSource.Open(folder.FullName).Build(new RandomSource(0.02), new ModelOptions
            {
                Compute = compute,
                Trainable = (part, name) => !(frozenTower && part == ModelPart.Vision) && (!lora || whole.SavesWhole(name)),
            });
            if (lora)
            {
                var targets = LoraOptions.Matcher(@"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)", null);
                Adapters.Attach(model.Ledger, new LoraOptions { Rank = 64, Alpha = 64 }, targets);
            }

            return model;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static PackedBatch Batch()
    {
        var random = new Random(5);
        var ids = new long[Samples * SampleTokens];
        foreach (ref var id in ids.AsSpan())
        {
            id = random.Next(FirstText, Vocabulary);
        }

        // Each slice between two tags.
        var slots = Enumerable.Range(0, Grids.Length)
            .Select(slice => (slice / SlicesOfSample * SampleTokens) + Prefix + (slice % SlicesOfSample * (Queries + 2)) + 1)
            .SelectMany(start => Enumerable.Range(start, Queries));
        var trained = Enumerable.Range(0, ids.Length).Where(i => i % SampleTokens >= SampleTokens - TrainedTokens).ToArray();
        var made = new PackedBatch
        {
            Ids = ids,
            CuSeqlens = [.. Enumerable.Range(0, Samples + 1).Select(s => s * SampleTokens)],
            SampleIndices = [.. Enumerable.Range(0, Samples)],
            Grids = Grids,
            ImagePaths = [.. Enumerable.Range(0, Grids.Length).Select(i => $"{i}.png")],
            ImageStarts = [.. Enumerable.Range(0, Samples + 1).Select(s => s * SlicesOfSample)],
            ImageTokens = [.. Enumerable.Repeat(Queries, Grids.Length)],
            ImageSlots = [.. slots],
            LossIndex = [.. trained.Select(i => i - 1L)],
            Targets = [.. trained.Select(i => ids[i])],
            Tickets = [.. Enumerable.Range(0, Grids.Length).Select(i => new ImageTicket($"{i}.png", $"{i}", null, default))],
        };
        foreach (ref var value in made.AllocatePixels(Grids.Sum(grid => grid.Patches), PatchLength))
        {
            value = (float)((random.NextDouble() * 2) - 1);
        }

        return made;
    }
}
