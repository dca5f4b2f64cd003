using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>The model of a run's best checkpoint, loaded as a run that goes on from it would, to be measured and saved as the result.</summary>
internal sealed class BestWeights : IDisposable
{
    private BestWeights(ModelSetup setup, TrainSession session) => (Setup, Session) = (setup, session);

    public ModelSetup Setup { get; }

    public TrainSession Session { get; }

    /// <summary>Loads it. What trained so far must have been freed.</summary>
    public static BestWeights Load(TrainConfig config, RunInputs inputs, Mesh mesh, string checkpoint)
    {
        var setup = ModelSetup.Load(config, inputs.Source, checkpoint);
        try
        {
            var strategy = setup.Divide(config, mesh);
            var session = TrainSession.Over(
                setup.Model, parts => Restored(config, checkpoint, parts, strategy.Divided), new SessionOptions { VisionLearns = setup.VisionLearns }, mesh,
                strategy);
            strategy.Publish();
            return new BestWeights(setup, session);
        }
        catch
        {
            setup.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Session.Dispose();
        Setup.Dispose();
    }

    /// <summary>The masters lie in the optimizer's files: in those of weights the digits are fewer, or there are none.</summary>
    private static IOptimizer Restored(TrainConfig config, string checkpoint, IReadOnlyList<ParameterShard> parts, IReadOnlyList<FlatShard> divided)
    {
        var optimizer = Optimizers.Create(config, parts, divided: divided);
        if (OptimizerFiles.AreIn(checkpoint))
        {
            CheckpointStore.Restore(checkpoint, optimizer);
        }

        return optimizer;
    }
}
