using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Objectives;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Bench;

/// <summary>Optimizer steps of a model on the same batch, through the code that trains. Owns all that it is given.</summary>
/// <param name="rate">The learning rate of every step.</param>
internal sealed class RepeatedTraining(
    VisionLanguageModel model, PackedBatch batch, Func<IReadOnlyList<ParameterShard>, IOptimizer> optimizer, SessionOptions options, double rate) : IDisposable
{
    private readonly TokenLoss objective = new();
    private readonly TrainSession session = TrainSession.Over(model, optimizer, options);
    private StepFeed? feed;

    public VisionLanguageModel Model => model;

    public PackedBatch Batch => batch;

    private StepFeed Feed => feed ??= session.Feed(new RepeatedSteps(batch), objective);

    /// <summary>One optimizer step.</summary>
    /// <returns>Its loss, before the update, and the norm of its gradients.</returns>
    public (double Loss, double Norm) Step()
    {
        using var step = Feed.Next()!;
        var result = session.Train(step, objective, rate);
        return (result.Loss!.Value, result.Norm!.Value);
    }

    /// <summary>A step whose result nobody reads, for devices that compute nothing.</summary>
    /// <returns>How many trainable weights received a gradient of their own shape.</returns>
    public int DryStep()
    {
        using var step = Feed.Next()!;
        var loss = session.Accumulate(step, objective)!;
        var received = model.Ledger.Trainable.Count(p => p.Value.Grad() is { } gradient && gradient.Shape.AsSpan().SequenceEqual(p.Shape));
        session.Optimizer.Update(rate, options.MaxGradNorm, loss);
        return received;
    }

    public void Dispose()
    {
        feed?.Dispose();
        session.Optimizer.ClearGradients();
        session.Dispose();
        options.Cache?.Dispose();
        batch.Dispose();
        model.Dispose();
    }
}
