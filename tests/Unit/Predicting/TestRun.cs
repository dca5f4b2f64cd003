using Fovea.Runs.Events;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Predicting;

/// <summary>A configuration run as the command line runs it.</summary>
internal sealed class TestRun(TrainConfig config)
{
    public FineTuneResult Run(IEnumerable<IEventSink>? views = null, CancellationToken stop = default) => FineTune.Of(config).Run(views ?? [], stop);
}
