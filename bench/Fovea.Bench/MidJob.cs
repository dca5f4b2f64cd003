using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Testing;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>The mid benchmark's training steps, through the code that trains: 4 samples, LoRA r=8 on the language model, clipping at 1, AdamW.</summary>
internal sealed class MidJob : IDisposable
{
    public const int Samples = 4;

    private readonly RepeatedTraining training;

    public MidJob(MidOptions options)
    {
        var mode = options.Selective ? BlockMode.Selective : options.Recompute ? BlockMode.Recompute : BlockMode.Keep;
        var model = MidModel.Build(new ModelOptions { Compute = options.DType, BlockMode = mode, FourBit = options.FourBit });
        Adapters.Attach(
            model.Ledger, new LoraOptions { Rank = 8, Alpha = 16, Decomposed = options.Decomposed },
            path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        training = new RepeatedTraining(
            model, MidModel.Batch(Samples), parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0.01),
            new SessionOptions { Cache = options.CachedVision ? new VisionFeatureCache(1L << 30) : null }, rate: 1e-4);
    }

    public VisionLanguageModel Model => training.Model;

    public PackedBatch Batch => training.Batch;

    /// <summary>One optimizer step.</summary>
    /// <returns>Its loss, before the update.</returns>
    public double Step() => training.Step().Loss;

    public void Dispose() => training.Dispose();
}
