using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Testing;
using Fovea.Training.Engine;

namespace Fovea.Bench;

/// <summary>Training steps of Qwen2.5-VL-7B through the code that trains: LoRA r=8 on the decoder, frozen vision, clipping at 1, AdamW.</summary>
public sealed class BigJob : IDisposable
{
    private readonly AdamW optimizer;
    private readonly StepRunner runner;
    private PreparedBatch? next;
    private int step;

    /// <param name="kept">How many of the decoder's blocks keep their activations; the others, and they alone, are computed again.</param>
    public BigJob(Device device, int tokens, int kept)
    {
        var policy = new BlockPolicy(recompute: true);
        Model = BigModel.Build(new ModelOptions { Compute = DType.BF16, Device = device, Policy = policy });
        policy.Decide(Enumerable.Range(0, Model.Layers).TakeLast(kept).ToDictionary(BlockPolicy.LanguageBlock, _ => BlockMode.Keep));
        Adapters.Attach(Model.Ledger, new LoraOptions { Rank = 8, Alpha = 16 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        optimizer = new AdamW(Model.Ledger.Trainable, 0.9, 0.999, 1e-8, 0.01);
        runner = new StepRunner(Model, visionLearns: false);
        Batch = BigModel.Batch(tokens);
        Count = BigCount.Of(Model, Batch);
    }

    public VisionLanguageModel Model { get; }

    public PackedBatch Batch { get; }

    public BigCount Count { get; }

    /// <summary>One optimizer step; the next batch is on its way before the host waits for this one.</summary>
    /// <returns>Loss and norm of the gradients.</returns>
    public (double Loss, double Norm) Step()
    {
        using var scope = TensorScope.Open("step");
        var loss = Queue();
        var result = optimizer.Update(1e-4, 1, loss);
        next = runner.Prepare(Batch);
        var read = result.ToArray<double>();
        return (read[0], read[1]);
    }

    /// <summary>A step whose result nobody reads, for devices that compute nothing.</summary>
    /// <returns>How many adapter weights received a gradient.</returns>
    public int DryStep()
    {
        using var scope = TensorScope.Open("step");
        var loss = Queue();
        var learned = Model.Ledger.Trainable.Count(p => p.Value.Grad() is { } gradient && gradient.Shape.AsSpan().SequenceEqual(p.Shape));
        optimizer.Update(1e-4, 1, loss);
        return learned;
    }

    public void Dispose()
    {
        next?.Dispose();
        Batch.Dispose();
        optimizer.ClearGradients();
        optimizer.Dispose();
        Model.Dispose();
    }

    private Tensor Queue()
    {
        using var batch = next ?? runner.Prepare(Batch);
        next = null;
        return runner.Queue(batch, step++);
    }
}
