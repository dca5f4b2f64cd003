using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>
/// Training steps of MiniMind-3V at its published size with random weights, through the code that trains: 4 samples of 260 tokens, 64 of an image and 120
/// trained, all weights but the encoder's, clipping at 1, AdamW. bench/peer/minimind.py does the same in PyTorch.
/// </summary>
internal sealed class StagesJob : IDisposable
{
    public const int Samples = 4;
    public const int SampleTokens = 260;

    private const int TrainedTokens = 120;
    private const int Prefix = 8;
    private const int ImageTokens = 64;
    private const int Image = 12;
    private const int Vocabulary = 6400;
    private const int PatchLength = 3 * 32 * 32;
    private static readonly ImageGrid Grid = new(1, 8, 8);

    private readonly bool moe;
    private readonly RepeatedTraining training;

    /// <param name="cachedVision">Take the encoder's features of the first step in all later ones, as from the second epoch on.</param>
    public StagesJob(DType compute, bool moe, bool cachedVision)
    {
        this.moe = moe;
        training = new RepeatedTraining(
            Build(compute, moe), Batch(), parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0.01, decayAll: true),
            new SessionOptions { VisionLearns = true, Cache = cachedVision ? new VisionFeatureCache(1L << 30) : null }, rate: 5e-6);
    }

    public VisionLanguageModel Model => training.Model;

    /// <summary>One optimizer step.</summary>
    /// <returns>Its loss, before the update.</returns>
    public double Step() => training.Step().Loss;

    /// <summary>Writes what a peer needs to do the same: the model's <c>.pth</c>, and the encoder with the batch (<see cref="PeerJob"/>).</summary>
    public void Write(string folder)
    {
        File.WriteAllText(Families.ConfigPath(folder), ConfigJson(moe));
        var family = ModelSource.Open(folder).Family;
        family.Files!.Write(Model, folder, folder, pretraining: false, DType.F32);
        PeerJob.Write(folder, Model.Ledger.Parameters.Where(p => family.PartOf(p.Name) == ModelPart.Vision), training.Batch);
    }

    public void Dispose() => training.Dispose();

    private static string ConfigJson(bool moe) =>
        $$"""{"model_type": "minimind-v", "hidden_size": 768, "use_moe": {{(moe ? "true" : "false")}}, "vision_model": "encoder", "weights": "none.pth"}""";

    private static VisionLanguageModel Build(DType compute, bool moe)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-bench-");
        try
        {
            var encoder = folder.CreateSubdirectory("encoder");
            File.WriteAllText(
                Path.Combine(encoder.FullName, "config.json"), """{"model_type": "siglip_vision_model", "patch_size": 32, "image_size": 256}""");
            File.WriteAllText(Families.ConfigPath(folder.FullName), ConfigJson(moe));
            Torch.Seed(11);
            return ModelSource.Open(folder.FullName).Build(new RandomSource(0.02), new ModelOptions
            {
                Compute = compute,
                Trainable = (part, _) => part != ModelPart.Vision,
            });
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
        for (var i = 0; i < ids.Length; i++)
        {
            var place = i % SampleTokens;
            ids[i] = place is >= Prefix and < Prefix + ImageTokens ? Image : random.Next(40, Vocabulary);
        }

        var trained = Enumerable.Range(0, ids.Length).Where(i => i % SampleTokens >= SampleTokens - TrainedTokens).ToArray();
        var made = new PackedBatch
        {
            Ids = ids,
            CuSeqlens = [.. Enumerable.Range(0, Samples + 1).Select(s => s * SampleTokens)],
            SampleIndices = [.. Enumerable.Range(0, Samples)],
            SampleGroup = new int[Samples],
            SampleWeight = [.. Enumerable.Repeat(1f / Samples, Samples)],
            Grids = [.. Enumerable.Repeat(Grid, Samples)],
            ImagePaths = [.. Enumerable.Range(0, Samples).Select(i => $"{i}.png")],
            ImageStarts = [.. Enumerable.Range(0, Samples + 1)],
            ImageTokens = [.. Enumerable.Repeat(ImageTokens, Samples)],
            ImageSlots = [.. Enumerable.Range(0, ids.Length).Where(i => ids[i] == Image)],
            LossIndex = [.. trained.Select(i => i - 1L)],
            Targets = [.. trained.Select(i => ids[i])],
            Tickets = [.. Enumerable.Range(0, Samples).Select(i => new ImageTicket($"{i}.png", $"{i}", null, default))],
        };
        foreach (ref var value in made.AllocatePixels(Samples * Grid.Patches, PatchLength))
        {
            value = (float)((random.NextDouble() * 2) - 1);
        }

        return made;
    }
}
