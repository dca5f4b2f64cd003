namespace Fovea.Data.Datasets;

/// <summary>
/// The usable rows of one or several datasets, in order; read from disk when asked for, from any thread. Holds 8 bytes a row.
/// </summary>
internal sealed class ConversationSet : ISampleSet
{
    private readonly IReadOnlyList<RowSource> sources;
    private readonly int[] source;
    private readonly int[] row;

    internal ConversationSet(IReadOnlyList<RowSource> sources, int[] source, int[] row)
    {
        this.sources = sources;
        this.source = source;
        this.row = row;
    }

    public int Count => row.Length;

    /// <summary>The conversation at <paramref name="index"/>. Throws <see cref="BadSampleException"/> where its files have changed since loading.</summary>
    public Conversation this[int index]
    {
        get
        {
            var problems = new List<string>();
            var source = sources[this.source[index]];
            return source.Read(row[index], problems)
                ?? throw new BadSampleException(source.Bad(row[index], problems));
        }
    }

    /// <summary>Which of the datasets, in the order of their naming, <paramref name="index"/> belongs to.</summary>
    internal int SourceOf(int index) => source[index];

    /// <summary>The samples of one of the datasets, in their order here.</summary>
    internal ConversationSet Of(int dataset)
    {
        var own = Array.FindAll([.. Enumerable.Range(0, Count)], i => source[i] == dataset);
        return new ConversationSet(sources, Array.ConvertAll(own, _ => dataset), Array.ConvertAll(own, i => row[i]));
    }

    /// <summary>What is wrong with the sample at <paramref name="index"/>, with its file and the row in it.</summary>
    public BadSample Place(BadSample bad, int index) => bad.Place is null ? sources[source[index]].Place(bad, row[index]) : bad;

    /// <summary>The dataset that <paramref name="index"/> belongs to, and its row counted from 1.</summary>
    public (string Dataset, int Row) Origin(int index) => (sources[source[index]].Spec.Name, row[index] + 1);
}
