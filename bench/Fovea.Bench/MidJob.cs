using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Testing;
using Fovea.Training.Engine;

namespace Fovea.Bench;

/// <summary>The mid benchmark's training steps, through the code that trains: 4 samples, LoRA r=8 on the language model, clipping at 1, AdamW.</summary>
public sealed class MidJob : IDisposable
{
    public const int Samples = 4;

    private const double MaxNorm = 1;
    private const double Rate = 1e-4;

    private readonly AdamW optimizer;
    private readonly VisionFeatureCache? cache;
    private readonly StepRunner runner;
    private int step;

    public MidJob(MidOptions options)
    {
        var mode = options.Selective ? BlockMode.Selective : options.Recompute ? BlockMode.Recompute : BlockMode.Keep;
        Model = MidModel.Build(new ModelOptions { Compute = options.DType, Policy = new BlockPolicy(mode) });
        Adapters.Attach(Model.Ledger, new LoraOptions { Rank = 8, Alpha = 16 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        optimizer = new AdamW(Model.Ledger.Trainable, 0.9, 0.999, 1e-8, 0.01);
        cache = options.CachedVision ? new VisionFeatureCache(1L << 30) : null;
        runner = new StepRunner(Model, visionLearns: false, cache: cache);
        Batch = MidModel.Batch(Samples);
    }

    public VisionLanguageModel Model { get; }

    public PackedBatch Batch { get; }

    /// <summary>One optimizer step.</summary>
    /// <returns>Its loss, before the update.</returns>
    public double Step()
    {
        var loss = runner.Train(Batch, step++).Loss;
        var norm = optimizer.GradientNorm();
        if (norm > MaxNorm)
        {
            optimizer.ScaleGradients(MaxNorm / (norm + 1e-6));
        }

        optimizer.Step(Rate);
        return loss;
    }

    public void Dispose()
    {
        Batch.Dispose();
        cache?.Dispose();
        optimizer.Dispose();
        Model.Dispose();
    }
}
