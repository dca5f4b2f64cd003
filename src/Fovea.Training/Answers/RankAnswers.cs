using Fovea.Distributed;
using Fovea.Training.Config;

namespace Fovea.Training.Answers;

/// <summary>How several processes answer rows: each some of them. Where <c>zero: 3</c> shards the weights, they make the same passes meanwhile.</summary>
internal sealed class RankAnswers(TrainConfig config, Mesh mesh)
{
    /// <summary>For an engine: adds up what the ranks have to do, so that all make the same passes; null where each goes on by itself.</summary>
    public Func<double[], double[]>? Sum =>
        mesh.WorldSize > 1 && config.Parallel.Sharding is { Shards: true, Stage: 3 } ? values => mesh.Sum("a step of the answers", values) : null;

    /// <summary>This rank's part of the rows.</summary>
    public IEnumerable<int> Share(IEnumerable<int> rows) => rows.Where((_, i) => i % mesh.WorldSize == mesh.Rank);
}
