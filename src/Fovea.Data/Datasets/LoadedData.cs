namespace Fovea.Data.Datasets;

/// <summary>Everything a configuration's data keys name: what to train on, what to evaluate on (or null), and the rows left out.</summary>
internal sealed class LoadedData : IDisposable
{
    private readonly IReadOnlyList<RowSource> sources;

    internal LoadedData(
        IReadOnlyList<RowSource> sources,
        ConversationSet train,
        ConversationSet? eval,
        IReadOnlyList<DatasetSummary> summaries,
        IReadOnlyList<BadSample> rejected,
        IReadOnlyList<string> notices)
    {
        this.sources = sources;
        Train = train;
        Eval = eval;
        Summaries = summaries;
        Rejected = rejected;
        Notices = notices;
    }

    public ConversationSet Train { get; }

    public ConversationSet? Eval { get; }

    /// <summary>The parts of <see cref="Eval"/> that are measured, each by itself; none where nothing is held out.</summary>
    public IReadOnlyList<HeldOutPart> HeldOut { get; init; } = [];

    public IReadOnlyList<DatasetSummary> Summaries { get; }

    /// <summary>Rows that cannot be used, by dataset and row; the first 10,000 (<see cref="Summaries"/> counts all).</summary>
    public IReadOnlyList<BadSample> Rejected { get; }

    /// <summary>What is without effect (keys of entries, and columns that nothing reads), and what datasets were mixed to; a line each.</summary>
    public IReadOnlyList<string> Notices { get; }

    public void Dispose()
    {
        foreach (var source in sources)
        {
            source.Dispose();
        }
    }
}
