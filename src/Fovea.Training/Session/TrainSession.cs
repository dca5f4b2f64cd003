using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Training.Objectives;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>
/// A model being trained: what one optimizer step is, on one rank or many. There is one such loop body in the house: a run's own (<see cref="RunSession"/>)
/// and whatever trains a model that is already at hand (<see cref="Over"/>). It belongs to one thread.
/// </summary>
internal class TrainSession : IDisposable
{
    private readonly double maxGradNorm;

    /// <param name="strategy">Belongs to the session from here on, as does the optimizer.</param>
    protected TrainSession(VisionLanguageModel model, ParallelStrategy strategy, IOptimizer optimizer, Mesh mesh, SessionOptions options)
    {
        (Model, Strategy, Optimizer, Mesh) = (model, strategy, optimizer, mesh);
        maxGradNorm = options.MaxGradNorm;
        Runner = new StepRunner(
            model, options.VisionLearns, options.Dropout, options.Cache, options.Plan, together: strategy.RunsTogether, options.Noise,
            mesh.Sequences);
    }

    public VisionLanguageModel Model { get; }

    public ParallelStrategy Strategy { get; }

    public IOptimizer Optimizer { get; }

    public StepRunner Runner { get; }

    protected Mesh Mesh { get; }

    /// <summary>Opens a session over a model that is at hand and stays the caller's. It writes no files and reports nothing.</summary>
    /// <param name="optimizer">Makes the optimizer of this rank's parts.</param>
    /// <param name="strategy">How ranks share the work; null is this process alone. It becomes the session's.</param>
    public static TrainSession Over(
        VisionLanguageModel model, Func<IReadOnlyList<ParameterShard>, IOptimizer> optimizer, SessionOptions options,
        Mesh? mesh = null, ParallelStrategy? strategy = null)
    {
        mesh ??= Mesh.Alone();
        strategy ??= new DataParallel(mesh, model.Ledger.Trainable, late: null, bucketBytes: 1);
        return new TrainSession(model, strategy, optimizer(strategy.Parts), mesh, options);
    }

    /// <summary>The steps of a source, sent to the device ahead of their use.</summary>
    /// <param name="source">Belongs to the feed where it can be disposed.</param>
    public StepFeed Feed(IStepSource source, IObjective objective) =>
        new(source, Runner, objective, Mesh, lookAhead: Runner.Device.Type == DeviceType.Cuda);

    /// <summary>Forward and backward of all micro-batches of a step, and the exchange of gradients behind them.</summary>
    /// <returns>The loss of the step over all ranks, fp64 without dimensions, on the device; null where nothing is trained.</returns>
    public virtual Tensor? Accumulate(TrainStep step, IObjective objective)
    {
        if (!step.Totals.Trains)
        {
            return null;
        }

        var loss = CreateOps.Zeros([], DType.F64, Runner.Device);
        using (Runner.CastAdapters())
        {
            var batches = step.Batch.MicroBatches.Where(objective.Uses).ToList();
            Strategy.Run([.. batches.Select(Runner.RunsVision)], trains: true, i =>
            {
                using var scope = TensorScope.Open("micro-batch");
                using var batch = step.Feed.Send(batches[i]);
                loss.Add_(Runner.Train(batch, objective, step.Totals).Value.To(DType.F64));
                if (i + 1 < batches.Count)
                {
                    step.Feed.SendAhead(batches[i + 1]);
                }
            });
        }

        Strategy.Finish();
        Mesh.AllReduce(loss.View(1), "the sum of losses").Wait();
        return loss;
    }

    /// <summary>Updates the weights and waits for the step's two numbers: the one time that the host waits for the device.</summary>
    /// <param name="loss">What <see cref="Accumulate"/> gave. Without a loss neither moments nor weight decay move anything, on any number of ranks.</param>
    public StepResult Update(TrainStep step, Tensor? loss, double rate)
    {
        if (loss is null)
        {
            return new StepResult(rate);
        }

        Tensor result;
        using (Profile.Open("optimizer"))
        {
            result = Optimizer.Update(rate, maxGradNorm, loss, Strategy.SumOfParts, Runner.Scale);
            Strategy.Publish();
        }

        step.Feed.LookAhead();
        using var span = Profile.Open("wait for device");
        var numbers = result.ToArray<double>();
        return new StepResult(rate, numbers[0], numbers[1]);
    }

    /// <summary>Accumulates and updates.</summary>
    public StepResult Train(TrainStep step, IObjective objective, double rate) => Update(step, Accumulate(step, objective), rate);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        Optimizer.Dispose();
        Strategy.Dispose();
    }
}
