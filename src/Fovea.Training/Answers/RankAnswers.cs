using Fovea.Distributed;
using Fovea.Training.Config;

namespace Fovea.Training.Answers;

/// <summary>How several processes answer rows: each some of them, or, where <c>zero: 3</c> shards the weights, all of them together.</summary>
internal sealed class RankAnswers(TrainConfig config, Mesh mesh)
{
    /// <summary>Whether every rank answers every row, because the model runs only where all take part.</summary>
    public bool Together { get; } = mesh.WorldSize > 1 && config.Parallel.Sharding is { Shards: true, Stage: 3 };

    /// <summary>Makes one choice of the tokens that the ranks have chosen; null where each answers rows of its own.</summary>
    public Func<int, int>? Agree => Together ? id => (int)mesh.Sum("the choice of a token", mesh.IsMain ? id : 0)[0] : null;

    /// <summary>This rank's part of the rows.</summary>
    public IEnumerable<int> Share(IEnumerable<int> rows) => Together ? rows : rows.Where((_, i) => i % mesh.WorldSize == mesh.Rank);

    /// <summary>Whether answering goes on: nobody has asked it to stop. Together, all ranks stop at the same row.</summary>
    public bool Continues(CancellationToken stop) => Together ? !mesh.Any("the next row", stop.IsCancellationRequested) : !stop.IsCancellationRequested;
}
