namespace Fovea.Data.Datasets;

/// <summary>
/// The usable rows of one or several data sets, in order; read from disk when asked for, from any thread. Holds 8 bytes a row.
/// </summary>
public sealed class ConversationSet
{
    private readonly IReadOnlyList<RowSource> _sources;
    private readonly int[] _source;
    private readonly int[] _row;

    internal ConversationSet(IReadOnlyList<RowSource> sources, int[] source, int[] row)
    {
        _sources = sources;
        _source = source;
        _row = row;
    }

    public int Count => _row.Length;

    /// <summary>The conversation at <paramref name="index"/>. Throws <see cref="BadSampleException"/> where its files have changed since loading.</summary>
    public Conversation this[int index]
    {
        get
        {
            var problems = new List<string>();
            var source = _sources[_source[index]];
            return source.Read(_row[index], problems)
                ?? throw new BadSampleException(new BadSample(source.Spec.Name, _row[index] + 1, string.Join("; ", problems)));
        }
    }

    /// <summary>The data set that <paramref name="index"/> belongs to, and its row counted from 1.</summary>
    public (string Dataset, int Row) Origin(int index) => (_sources[_source[index]].Spec.Name, _row[index] + 1);
}
