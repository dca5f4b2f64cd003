using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Testing;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>Training steps of Qwen2.5-VL-7B through the code that trains: LoRA r=8 on the decoder, frozen vision, clipping at 1, AdamW.</summary>
internal sealed class BigJob : IDisposable
{
    private readonly RepeatedTraining training;

    /// <param name="kept">How many of the decoder's blocks keep their activations; the others, and they alone, are computed again.</param>
    public BigJob(Device device, int tokens, int kept)
    {
        var model = BigModel.Build(new ModelOptions { Compute = DType.BF16, Device = device, BlockMode = BlockMode.Recompute });
        foreach (var block in model.Ledger.Blocks.Where(b => b is { Part: ModelPart.Language, Kind: BlockKind.Layer }).TakeLast(kept))
        {
            block.Mode = BlockMode.Keep;
        }

        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8, Alpha = 16 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        training = new RepeatedTraining(
            model, BigModel.Batch(tokens), parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0.01), new SessionOptions(), rate: 1e-4);
        Count = BigCount.Of(Model, Batch);
    }

    public VisionLanguageModel Model => training.Model;

    public PackedBatch Batch => training.Batch;

    public BigCount Count { get; }

    /// <summary>One optimizer step; the next batch is on its way before the host waits for this one.</summary>
    /// <returns>Loss and norm of the gradients.</returns>
    public (double Loss, double Norm) Step() => training.Step();

    /// <summary>A step whose result nobody reads, for devices that compute nothing.</summary>
    /// <returns>How many adapter weights received a gradient.</returns>
    public int DryStep() => training.DryStep();

    public void Dispose() => training.Dispose();
}
