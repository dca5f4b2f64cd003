namespace Fovea.Evaluation.Quick;

/// <summary>Items that are scored together, such as the questions of one image, in the order of their first ones.</summary>
internal sealed class Clusters
{
    private readonly List<List<int>> clusters = [];
    private readonly int[] clusterOf;

    /// <param name="keys">Of each item.</param>
    public Clusters(IReadOnlyList<string> keys)
    {
        var byKey = new Dictionary<string, int>(StringComparer.Ordinal);
        clusterOf = new int[keys.Count];
        for (var i = 0; i < keys.Count; i++)
        {
            if (!byKey.TryGetValue(keys[i], out var cluster))
            {
                byKey[keys[i]] = cluster = clusters.Count;
                clusters.Add([]);
            }

            clusters[cluster].Add(i);
            clusterOf[i] = cluster;
        }
    }

    public int Count => clusters.Count;

    /// <summary>The items of a cluster, in order.</summary>
    public IReadOnlyList<int> this[int cluster] => clusters[cluster];

    /// <summary>The cluster of an item.</summary>
    public int Of(int item) => clusterOf[item];

    /// <summary>
    /// A sample of clusters out of a sample of items: as many of its first items as there are clusters stand for theirs. Large ones are drawn more often,
    /// for which
    /// weights make up.
    /// </summary>
    public IEnumerable<(int Cluster, double Weight)> Draw(int[] sample) =>
        sample.Take(Count).Select(item => (clusterOf[item], 1.0 / clusters[clusterOf[item]].Count));
}
