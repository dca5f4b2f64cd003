using Fovea.Data.Sampling;
using Fovea.Distributed;
using Fovea.Events;
using Fovea.Nn;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Planning;

namespace Fovea.Training.Session;

/// <summary>
/// What a run is assembled from, in this order: kernels, weights with adapters, ranks, optimizer, memory, and the checkpoint that it goes on from. Disposing it
/// frees all of it, whether assembling came to its end or not.
/// </summary>
internal sealed class RunParts : IDisposable
{
    private readonly Disposables opened = new();

    private RunParts(RunInputs inputs, Mesh mesh, EventHub events)
    {
        var config = inputs.Config;
        try
        {
            var products = ProductSetup.Apply(config.Model.Compute, mesh, ModelSetup.ChooseDevice(config), Resumption.ProgressOf(inputs.ResumeFrom));
            Config = config with { Notices = [.. config.Notices, .. products.Reasons] };
            var fresh = inputs.Fresh.With(ProductSetup.Name, products.Choice.ToString());
            Setup = opened.Add(ModelSetup.Load(Config, inputs.Source, inputs.ResumeFrom));
            mesh.OnMain(() => RunTargets.CheckRoom(Config.Run, Setup));
            if (SequenceHeads.Refusal(Setup.Model, mesh.SequenceSize) is { } heads)
            {
                throw new ConfigException(heads);
            }

            RateRule.Check(Config, Setup.Model.Ledger.Trainable.Select(p => p.Name), Setup.Family.PartOf);
            var caches = VisionCacheSetup.IsOfUse(Config, Setup);

            // Before weights are sharded, while this rank can read them all.
            var identity = caches && Config is { Parallel.Sharding.Shards: true, Memory.EffectiveVisionCacheDir: not null }
                ? VisionIdentity.Of(Setup.Model, Setup.Family, inputs.Setup.Images, Setup.LearnsOverTower)
                : null;
            Strategy = opened.Add(Setup.Divide(Config, mesh));
            Optimizer = opened.Add(Optimizers.Create(Config, Strategy.Parts, Setup.Family.PartOf, Strategy.Divided));
            Budget = MemoryBudget.For(Config, Setup.Model, new MachineMemory(Setup.Model.Device), caches, mesh.RanksHere, mesh.WorldSize);
            if (mesh.SequenceSize > 1)
            {
                Budget = Budget.Agreed(mesh.Min);
            }

            Cache = caches
                ? opened.Add(VisionCacheSetup.Open(Config, Setup, inputs.Setup.Images, identity, Budget, text => events.Write(new Warning(text))))
                : null;
            Order = inputs.Order(Config, mesh);
            Schedule = new Schedule(Config.Schedule, fresh.TotalSteps, Order);
            Memory = ActivationPlan.For(Setup.Model, Config, Budget.Activations) with { HostBudget = Budget.HostActivations };
            Memory = Memory with { MicroBatchTokens = (int)mesh.Min("the choice of micro_batch_tokens", Memory.MicroBatchTokens) };
            State = new RunState(fresh with { MicroBatchTokens = Memory.MicroBatchTokens }, Order, BestModel.For(Config.Run));
            Log = Reporter.NewLog(Config, State);
            Resume(inputs, mesh);
            Log = Log with { Mark = inputs.Checkpoints.Begin(inputs.ResumeFrom) };
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>The configuration with what became known since.</summary>
    public TrainConfig Config { get; }

    public ModelSetup Setup { get; }

    public ParallelStrategy Strategy { get; }

    public IOptimizer Optimizer { get; }

    public MemoryBudget Budget { get; }

    public VisionFeatureCache? Cache { get; }

    public SampleOrder Order { get; }

    public Schedule Schedule { get; }

    public ActivationPlan Memory { get; private set; }

    public RunState State { get; }

    /// <summary>What <c>trainer_state.json</c> begins with.</summary>
    public TrainerState Log { get; private set; }

    /// <summary>What is to be known about the checkpoint that the run goes on from.</summary>
    public IReadOnlyList<string> ResumeNotices { get; private set; } = [];

    public SessionOptions Options => new()
    {
        VisionLearns = Setup.VisionLearns,
        MaxGradNorm = Config.Optimizer.MaxGradNorm,
        Cache = Cache,
        Dropout = Setup.Dropout,
        Noise = Config.Tuning.NeftuneNoiseAlpha is > 0 and var alpha ? new EmbeddingNoise(alpha, (ulong)Config.Run.Seed) : null,

        // Shorter micro-batches keep more of their activations.
        Plan = batch => Memory.Apply(batch.Tokens, Setup.VisionLearns ? Memory.PatchesOf(batch) : 0),
    };

    public static RunParts Assemble(RunInputs inputs, Mesh mesh, EventHub events) => new(inputs, mesh, events);

    public void Dispose() => opened.Dispose();

    private void Resume(RunInputs inputs, Mesh mesh)
    {
        if (inputs.ResumeFrom is { } from)
        {
            var found = Resumption.IsFile(from)
                ? Resumption.FromFile(from, Config, mesh.DataSize, Setup, Optimizer, Order, State.Progress, Log)
                : Resumption.FromCheckpoint(from, Config, Optimizer, State.Progress);
            Strategy.Publish();
            (State.Progress, Log, ResumeNotices) = (found.Progress, found.State, found.Notices);
            State.Best?.Resume(found.State);
            Memory = Memory with { MicroBatchTokens = found.Progress.MicroBatchTokens };
        }

        State.FirstStep = State.Progress.Step;
    }
}
